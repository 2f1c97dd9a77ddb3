#!/usr/bin/env bash
# Makes the certificates of the lab in OUT as NAME.crt and NAME.key (PEM), and revoked.crl: certificates.sh OUT
set -euo pipefail
out=${1:?usage: certificates.sh OUT}
mkdir -p "$out"
cd "$out"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/index.txt"
cat >"$work/ca.conf" <<END
[ca]
default_ca = lab
[lab]
database = $work/index.txt
new_certs_dir = $work
unique_subject = no
default_md = sha256
default_crl_days = 3650
rand_serial = yes
policy = any
[any]
C = supplied
O = supplied
CN = supplied
END

day() { date -u -d "$1" +%Y%m%d%H%M%SZ; }
start=$(day '1 day ago') end=$(day '10 years')

# The caller may set: algorithm (options of genpkey), digest, from, to.
issue() { # NAME ISSUER COMMON-NAME EXTENSION...; the name itself as issuer: self-signed
	local name=$1 issuer=$2 signer=(-cert "$2.crt" -keyfile "$2.key") key
	read -ra key <<<"${algorithm:-RSA -pkeyopt rsa_keygen_bits:2048}"
	[[ $name != "$issuer" ]] || signer=(-selfsign -keyfile "$name.key")
	openssl genpkey -quiet -algorithm "${key[@]}" -out "$name.key"
	openssl req -new -key "$name.key" -subj "/C=DE/O=Lab/CN=$3" -out "$work/$name.csr"
	printf '%s\n' 'subjectKeyIdentifier = hash' "${@:4}" >"$work/$name.ext"
	[[ $name == "$issuer" ]] || echo 'authorityKeyIdentifier = keyid' >>"$work/$name.ext"
	openssl ca -batch -notext -config "$work/ca.conf" "${signer[@]}" -md "${digest:-sha256}" -startdate "${from:-$start}" \
		-enddate "${to:-$end}" -extfile "$work/$name.ext" -in "$work/$name.csr" -out "$name.crt" 2>"$work/log" ||
		{ cat "$work/log" >&2; exit 1; }
}

authority=('basicConstraints = critical, CA:true' 'keyUsage = critical, keyCertSign, cRLSign')
end_entity='basicConstraints = critical, CA:false'
usage='keyUsage = critical, digitalSignature, keyEncipherment'
server=("$end_entity" "$usage" 'extendedKeyUsage = serverAuth')
names='subjectAltName = DNS:bank.example, DNS:*.bank.example'
client=("$end_entity" 'keyUsage = critical, digitalSignature' 'extendedKeyUsage = clientAuth')

issue root root 'Lab Root' "${authority[@]}"
issue issuing root 'Lab Issuing' "${authority[@]}"
issue bank issuing bank.example "${server[@]}" "$names"
issue direct root bank.example "${server[@]}" "$names"
issue other-name issuing shop.example "${server[@]}" 'subjectAltName = DNS:shop.example'
issue no-name issuing shop.example "${server[@]}"
issue self-signed self-signed bank.example "${server[@]}" "$names"
from=$(day '400 days ago') to=$(day '30 days ago') issue expired issuing bank.example "${server[@]}" "$names"
from=$(day '30 days') issue future issuing bank.example "${server[@]}" "$names"
from=$(day '400 days ago') to=$(day '30 days ago') issue old-issuing root 'Lab Old Issuing' "${authority[@]}"
issue under-old old-issuing bank.example "${server[@]}" "$names"
issue no-authority root 'Lab Not An Authority' "$end_entity" "$usage"
issue under-none no-authority bank.example "${server[@]}" "$names"
issue for-clients issuing bank.example "$end_entity" "$usage" 'extendedKeyUsage = clientAuth' "$names"
issue for-signing issuing bank.example "$end_entity" 'keyUsage = critical, cRLSign' "$names"
digest=md5 issue md5 issuing bank.example "${server[@]}" "$names"
digest=sha1 issue sha1 issuing bank.example "${server[@]}" "$names"
algorithm='RSA -pkeyopt rsa_keygen_bits:1000' issue short issuing bank.example "${server[@]}" "$names"
algorithm='EC -pkeyopt ec_paramgen_curve:P-256' issue ec issuing bank.example "${server[@]}" "$names"
issue revoked issuing bank.example "${server[@]}" "$names"
issue client issuing orders.example "${client[@]}"
from=$(day '400 days ago') to=$(day '30 days ago') issue client-expired issuing orders.example "${client[@]}"
issue client-for-servers issuing orders.example "${server[@]}"
issue client-self-signed client-self-signed orders.example "${client[@]}"

issue other-root other-root 'Other Root' "${authority[@]}"
issue other-issuing other-root 'Other Issuing' "${authority[@]}"
issue other other-issuing bank.example "${server[@]}" "$names"
issue other-direct other-root bank.example "${server[@]}" "$names"
issue other-client other-issuing orders.example "${client[@]}"
# Another key under the name of the root that is trusted.
issue false-root false-root 'Lab Root' "${authority[@]}"
issue false false-root bank.example "${server[@]}" "$names"

openssl ca -config "$work/ca.conf" -cert issuing.crt -keyfile issuing.key -revoke revoked.crt 2>"$work/log"
openssl ca -config "$work/ca.conf" -cert issuing.crt -keyfile issuing.key -gencrl -out issuing.crl 2>>"$work/log"
: >"$work/index.txt"
openssl ca -config "$work/ca.conf" -cert root.crt -keyfile root.key -gencrl -out root.crl 2>>"$work/log"
cat bank.crt issuing.crt >bank-chain.pem
cat other.crt other-issuing.crt >other-chain.pem
