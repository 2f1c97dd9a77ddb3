#!/usr/bin/env bash
# Makes the test certificates in OUT as NAME.crt and NAME.key (PEM). The HOSTs are those of the server's own certificate.
set -euo pipefail
out=${1:?usage: certificates.sh OUT HOST...}
shift
(($# > 0)) || { echo "certificates.sh: no host" >&2; exit 2; }
mkdir -p "$out"
cd "$out"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/index.txt"
cat >"$work/ca.conf" <<EOF
[ca]
default_ca = lab
[lab]
database = $work/index.txt
new_certs_dir = $work
unique_subject = no
default_md = sha256
rand_serial = yes
policy = any
[any]
C = supplied
O = supplied
CN = supplied
EOF

# `openssl ca` writes both dates down itself, which a certificate that is expired from the start needs.
start=$(date -u -d '1 day ago' +%Y%m%d%H%M%SZ)
end=$(date -u -d '10 years' +%Y%m%d%H%M%SZ)
last_year=$(date -u -d '395 days ago' +%Y%m%d%H%M%SZ)
last_month=$(date -u -d '30 days ago' +%Y%m%d%H%M%SZ)

issue() { # NAME ISSUER SUBJECT EXTENSIONS [START END]; the name itself as issuer: self-signed
	local name=$1 issuer=$2 subject=$3 extensions=$4 signer
	if [[ $name == "$issuer" ]]; then
		signer=(-selfsign -keyfile "$name.key")
	else
		signer=(-cert "$issuer.crt" -keyfile "$issuer.key")
	fi
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$name.key"
	openssl req -new -key "$name.key" -subj "$subject" -out "$work/$name.csr"
	printf '%s\n' 'subjectKeyIdentifier = hash' "$extensions" >"$work/$name.ext"
	[[ $name == "$issuer" ]] || echo "authorityKeyIdentifier = keyid" >>"$work/$name.ext"
	openssl ca -batch -notext -config "$work/ca.conf" "${signer[@]}" -startdate "${5:-$start}" -enddate "${6:-$end}" \
		-extfile "$work/$name.ext" -in "$work/$name.csr" -out "$name.crt" 2>"$work/log" ||
		{ cat "$work/log" >&2; exit 1; }
}

authority='basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign'
hosts() { # HOST...
	local names
	names=$(printf ',DNS:%s' "$@")
	printf '%s\n' 'basicConstraints = critical, CA:false' 'keyUsage = critical, digitalSignature, keyEncipherment' \
		'extendedKeyUsage = serverAuth' "subjectAltName = ${names:1}"
}
own=$(hosts "$@")

issue root root "/C=DE/O=Example/CN=Example Root CA G1" "$authority"
issue issuing root "/C=DE/O=Example/CN=Example Issuing CA G2" "$authority"
issue bank issuing "/C=DE/O=Example Bank/CN=bank.example" "$own"
issue clearing issuing "/C=DE/O=Example Clearing/CN=clearing.example" "${own//bank/clearing}"
issue expired issuing "/C=DE/O=Example Bank/CN=bank.example" "$own" "$last_year" "$last_month"
issue other-name issuing "/C=DE/O=Example Shop/CN=www.shop.example" "$(hosts www.shop.example shop.example)"
issue self-signed self-signed "/C=DE/O=Example Bank/CN=bank.example" "$own"
issue private-root private-root "/C=DE/O=Private Bank/CN=Private Bank Root CA" "$authority"
issue private-issuing private-root "/C=DE/O=Private Bank/CN=Private Bank Issuing CA" "$authority"
issue private private-issuing "/C=DE/O=Private Bank/CN=bank.example" "$own"
issue client issuing "/C=DE/O=Example/CN=orders.example" \
	'basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth'
