# shellcheck shell=bash
# Shared by the scripts of this folder: where the JDK is, and a cache whose folders are complete or absent.
[[ -n ${JDK_HOME:-} ]] || command -v javac >/dev/null || { echo "${0##*/}: neither JDK_HOME nor javac" >&2; exit 1; }
images=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/images
JDK_HOME=${JDK_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}

# The names the server's own certificate is made for.
read -ra hosts <<<"${HOSTS:-bank bank.example bank.demo bank.demo.svc bank.demo.svc.cluster.local localhost}"

progress() { echo "${0##*/}: $*" >&2; }

key_of() { # FILE...; a key of these files and of everything in this folder that goes into an image
	{
		cat "$@"
		find "$images/msr" "$images"/*.sh -type f ! -name '*.md' -print0 | sort -z | xargs -0 cat
		echo "${hosts[@]}"
	} | sha256sum | cut -c 1-16
}

cached() { # NAME COMMAND...; makes $cache/NAME by COMMAND, which gets an empty folder to fill as its last argument
	local folder=$cache/$1 new
	shift
	[[ -d $folder ]] && return
	mkdir -p "$cache"
	new=$(mktemp -d "$cache/new.XXXXXX")
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$new'" EXIT
	# A plain command: as a condition, errors inside it would not end it.
	("$@" "$new")
	chmod 755 "$new"
	# Another build may have been faster: its folder is as good.
	mv -T "$new" "$folder" 2>/dev/null || rm -rf "$new"
	trap - EXIT
}

program() { # FOLDER; the stand-in's classes and certificates
	progress "program ($JDK_HOME)"
	"$JDK_HOME/bin/javac" --release 8 -Xlint:all,-options -d "$1/classes" "$images"/msr/java/tlsdebug/lab/*.java
	progress "certificates for ${hosts[*]}"
	"$images/msr/certificates.sh" "$1/certificates" "${hosts[@]}"
}
