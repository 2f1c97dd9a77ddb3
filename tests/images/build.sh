#!/usr/bin/env bash
# Builds the test images as docker-archive tars and prints their folder: build.sh [OUT]
# JDK_HOME names another JDK than the machine's, and then the tag is jdkN. HOSTS: names in the server's certificate.
set -euo pipefail
[[ -n ${JDK_HOME:-} ]] && other_jdk=yes || other_jdk=
# shellcheck source=tests/images/lib.sh
. "$(dirname "$0")/lib.sh"

for command in busybox bash openssl; do
	command -v "$command" >/dev/null || { echo "build.sh: $command is not on the PATH" >&2; exit 1; }
done
busybox=$(command -v busybox)
bash=$(command -v bash)
feature=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$JDK_HOME/release")
tag=${other_jdk:+jdk$feature}
tag=${tag:-1}
image=tlsdebug.local/msr:$tag
archive=msr-$tag.tar
home=opt/softwareag/IntegrationServer
jvm=opt/softwareag/jvm/jvm
user=1724

base() { # ROOT; the JVM and the little system around it
	local root=$1 applet file files
	mkdir -p "$root"/{bin,dev,etc,proc,sys} "$root/$(dirname "$jvm")"
	mkdir -m 1777 "$root/tmp"
	"$JDK_HOME/bin/jlink" --add-modules java.base,java.logging,jdk.crypto.ec,jdk.httpserver \
		--no-header-files --no-man-pages --output "$root/$jvm"
	cp -L "$busybox" "$root/bin/busybox"
	for applet in $("$busybox" --list); do
		ln -s busybox "$root/bin/$applet" 2>/dev/null || true
	done
	# bash is /bin/sh in MSR's images, and ends otherwise than busybox: see startContainer.sh.
	cp -L "$bash" "$root/bin/bash"
	ln -sf bash "$root/bin/sh"
	# ldd fails on a static file, such as busybox usually is; what the JVM has itself is in place.
	mapfile -t files < <(find "$root/$jvm" "$root/bin" -type f \( -name '*.so' -o -path '*/bin/*' \))
	while read -r file; do
		mkdir -p "$root/$(dirname "$file")"
		cp -L "$file" "$root/$file"
	done < <(ldd "${files[@]}" 2>/dev/null | grep -oE '(=> |^\s)/\S+' | grep -oE '/.*' | grep -v "/$jvm/" | sort -u)
	echo "sagadmin:x:$user:$user::/$home:/bin/sh" >"$root/etc/passwd"
	echo "sagadmin:x:$user:" >"$root/etc/group"
	echo "hosts: files dns" >"$root/etc/nsswitch.conf"
}

server() { # ROOT; the Integration Server folder
	local root=$1
	mkdir -p "$root/$home"/{bin,lib,config,logs}
	cp "$images"/msr/bin/*.sh "$root/$home/bin/"
	chmod 755 "$root/$home"/bin/*.sh
	program "$root/$home/lib"
	mv "$root/$home/lib/certificates" "$root/$home/config/security"
	chmod 644 "$root/$home"/config/security/*
}

layer() { # ROOT OWNER NAME TAR; packs what is under NAME in ROOT, prints the digest
	tar -C "$1" --sort=name --mtime=@0 --numeric-owner --owner="$2" --group="$2" -cf "$4" "$3"
	sha256sum "$4" | cut -d ' ' -f 1
}

build() { # FOLDER
	local folder=$1 work base_digest server_digest
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$work'" EXIT
	progress "base: JDK $feature by jlink"
	base "$work/base"
	server "$work/server"
	progress "archive"
	mkdir "$work/archive"
	base_digest=$(layer "$work/base" 0 . "$work/archive/base.tar")
	server_digest=$(layer "$work/server" "$user" "$home" "$work/archive/server.tar")
	cat >"$work/archive/config.json" <<EOF
{"architecture": "$(dpkg --print-architecture)", "os": "linux", "created": "1970-01-01T00:00:00Z",
 "config": {"User": "$user", "WorkingDir": "/", "Entrypoint": ["/$home/bin/startContainer.sh"],
  "Env": ["PATH=/bin:/$jvm/bin", "JAVA_HOME=/$jvm"],
  "ExposedPorts": {"5555/tcp": {}, "5543/tcp": {}}},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$base_digest", "sha256:$server_digest"]}}
EOF
	cat >"$work/archive/manifest.json" <<EOF
[{"Config": "config.json", "RepoTags": ["$image"], "Layers": ["base.tar", "server.tar"]}]
EOF
	tar -C "$work/archive" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$folder/$archive" .
}

key=$(key_of "$JDK_HOME/release" "$busybox" "$bash")
cached "$key" build
out=$cache/$key
if (($# > 0)); then
	mkdir -p "$1"
	cp "$out/$archive" "$1/.$archive.new"
	mv "$1/.$archive.new" "$1/$archive"
	out=$1
fi
progress "$image is in $archive"
echo "$out"
