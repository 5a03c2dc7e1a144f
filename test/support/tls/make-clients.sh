#!/bin/sh
# Makes the certificates of clients, of a server with an authority of its own, and of one that has got a new certificate, for a
# hundred years. Needs OpenSSL 3.
set -eu
cd "$(dirname "$0")"
new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
extensions() { printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=%s\n' "$1"; }

# authority <name>: the key is not kept.
authority() {
  new_key "$1-key.tmp"
  openssl req -x509 -new -key "$1-key.tmp" -subj "/CN=$1" -addext keyUsage=critical,keyCertSign,cRLSign -days 36500 -out "$1.pem"
}
# client <file> <subject> <authority> <days> <usage>
client() {
  openssl req -new -key client-key.pem -subj "$2" -out client.tmp
  extensions "$5" > extensions.tmp
  openssl x509 -req -in client.tmp -CA "$3.pem" -CAkey "$3-key.tmp" -days "$4" -extfile extensions.tmp -out "$1.pem"
}

# server <file> <authority>: with what strict clients ask for, such as Python's from 3.13 on.
server() {
  new_key "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj /CN=localhost -out server.tmp
  { extensions serverAuth; printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 authorityKeyIdentifier=keyid; } > extensions.tmp
  openssl x509 -req -in server.tmp -CA "$2.pem" -CAkey "$2-key.tmp" -days 36500 -extfile extensions.tmp -out "$1.pem"
}

authority authority
authority other-authority
new_key client-key.pem
client alice /O=operators/O=auditors/CN=alice authority 36500 clientAuth
client expired /CN=alice authority -1 clientAuth
client nameless /O=operators authority 36500 clientAuth
client server-only /CN=alice authority 36500 serverAuth
client stranger /CN=alice other-authority 36500 clientAuth
authority server-authority
server server server-authority
new_key renewed-key.pem
openssl req -x509 -new -key renewed-key.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
  -days 36500 -out renewed.pem
rm ./*.tmp
