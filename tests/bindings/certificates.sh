#!/bin/sh
# certificates.sh FOLDER: an authority (ca.pem) and certificates of it: good (localhost, 30 days), expired, other (another name).
set -eu
cd "$1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 30 \
    -subj "/CN=Runbook Test CA" 2>/dev/null
make() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
    printf 'subjectAltName=DNS:%s\n' "$2" >"$1.ext"
    shift 2
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$name.pem" -extfile "$name.ext" "$@" 2>/dev/null
}
name=good && make good localhost -days 30
name=other && make other elsewhere.test -days 30
# openssl x509 takes no end in the past; ca does.
name=expired && make expired localhost -days 1
touch index
openssl ca -batch -config /dev/stdin -in expired.csr -out expired.pem -startdate 20200101000000Z -enddate 20200201000000Z -notext \
    -extfile expired.ext 2>/dev/null <<CONFIG
[ca]
default_ca = one
[one]
database = index
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
serial = ca.srl
default_md = sha256
policy = any
[any]
commonName = supplied
CONFIG
chmod 600 ./*.key
