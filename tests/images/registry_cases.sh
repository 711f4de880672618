# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The cases of registry.sh, which sources this. A case runs in a subshell: C is its directory, S its store.

# --- Debian's docker-registry ---------------------------------------------------------------------------------------------------------

tc plain_http 'docker-registry over http: refused with advice, pulled once it is declared insecure, nothing fetched twice'
plain_http() {
	needs_registry
	start_registry 5000
	push "oci:$T/oci:t" docker://127.0.0.1:5000/a/b:t --dest-tls-verify=false
	pull 127.0.0.1:5000/a/b:t
	fails "https://127.0.0.1:5000" "declared insecure"
	pulls 127.0.0.1:5000/a/b:t --tls-verify=false
	eq "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$S/index.json")" 127.0.0.1:5000/a/b:t
	pull 127.0.0.1:5000/a/b:t --tls-verify=false
	eq "$RC" 0
	eq "$(grep -c 'already there' <<<"$ERR")" 5
	cat >"$C/registries.conf" <<<$'[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true'
	rm -rf "$S"
	pulls 127.0.0.1:5000/a/b:t --registries-conf "$C/registries.conf"
	pulls "127.0.0.1:5000/a/b@$DIGEST" --registries-conf "$C/registries.conf"
}

tc missing 'what a registry does not have is said so, with its own words'
missing() {
	needs_registry
	start_registry 5000
	push "oci:$T/oci:t" docker://127.0.0.1:5000/a/b:t --dest-tls-verify=false
	pull 127.0.0.1:5000/a/c:t --tls-verify=false
	fails "127.0.0.1:5000/a/c:t" "does not have it" "404"
	pull 127.0.0.1:5000/a/b:u --tls-verify=false
	fails "127.0.0.1:5000/a/b:u" "does not have it" "MANIFEST_UNKNOWN"
	pull "127.0.0.1:5000/a/b@sha256:$(printf x | sha256sum | cut -d' ' -f1)" --tls-verify=false
	fails "does not have it"
	pull 127.0.0.1:5999/a/b:t --tls-verify=false
	fails "127.0.0.1:5999" "connect"
	pull nowhere.invalid/a:t
	fails "nowhere.invalid"
}

tc tls 'docker-registry over TLS: an unknown authority is refused; certs.d, --cert-dir, SSL_CERT_FILE and --tls-verify=false let it in'
tls() {
	needs_registry
	start_registry 5443 "tls: {certificate: $T/certs/server.crt, key: $T/certs/server.key}"
	push "oci:$T/oci:t" docker://127.0.0.1:5443/a:t --dest-tls-verify=false
	pull 127.0.0.1:5443/a:t
	fails "certificate" "certs.d/127.0.0.1:5443/ca.crt"
	mkdir -p "$HOME/.config/containers/certs.d/127.0.0.1:5443"
	cp "$T/certs/ca.crt" "$HOME/.config/containers/certs.d/127.0.0.1:5443/"
	pulls 127.0.0.1:5443/a:t
	rm -rf "$S" "$HOME/.config"
	mkdir "$C/certs" && cp "$T/certs/ca.crt" "$C/certs/"
	pulls 127.0.0.1:5443/a:t --cert-dir "$C/certs"
	rm -rf "$S"
	SSL_CERT_FILE=$T/certs/ca.crt pulls 127.0.0.1:5443/a:t
	rm -rf "$S"
	pulls 127.0.0.1:5443/a:t --tls-verify=false
	rm -rf "$S"
	# The certificate is for addresses and localhost, not for this.
	mkdir "$C/etc" && echo "127.0.0.1 other.invalid" >"$C/etc/hosts"
	if unshare --mount true 2>/dev/null; then
		OUT=$(unshare --mount bash -c 'mount --bind "$1/etc/hosts" /etc/hosts && "$2" --store "$3" pull --cert-dir "$1/certs" other.invalid:5443/a:t' - \
			"$C" "$TOOL" "$S" 2>"$C/err")
		RC=$? ERR=$(<"$C/err")
		fails "other.invalid"
	fi
	pull 127.0.0.1:5443/a:t --cert-dir "$C/none"
	fails "$C/none"
}

tc ipv6 'IPv6'
ipv6() {
	needs_registry
	[[ -e /proc/net/if_inet6 ]] || skip "no IPv6"
	# skopeo knows no such names; here it is the same registry.
	ADDRESS='' start_registry 5000
	push "oci:$T/oci:t" docker://127.0.0.1:5000/a:t --dest-tls-verify=false
	pulls '[::1]:5000/a:t' --tls-verify=false
}

tc htpasswd 'docker-registry with passwords: from the command line, from auth files by the longest namespace, from a helper'
htpasswd() {
	needs_registry
	local hash
	hash=$(perl -e 'print crypt("pass:word","\$2y\$05\$abcdefghijklmnopqrstuu")') && [[ $hash == \$2y\$* ]] || skip "no bcrypt here"
	echo "user:$hash" >"$C/htpasswd"
	start_registry 5443 "tls: {certificate: $T/certs/server.crt, key: $T/certs/server.key}" "auth: {htpasswd: {realm: here, path: $C/htpasswd}}"
	push --dest-creds user:pass:word "oci:$T/oci:t" docker://127.0.0.1:5443/a/b:t --dest-tls-verify=false
	mkdir "$C/certs" && cp "$T/certs/ca.crt" "$C/certs/"
	local o=(--cert-dir "$C/certs")
	pull 127.0.0.1:5443/a/b:t "${o[@]}"
	fails "authentication is required" "ringfence login 127.0.0.1:5443"
	pull 127.0.0.1:5443/a/b:t "${o[@]}" --creds user:wrong
	fails "authentication is required" 'asked as user "user"'
	hasnt "$ERR" wrong
	pulls 127.0.0.1:5443/a/b:t "${o[@]}" --creds user:pass:word
	rm -rf "$S"
	local good wrong
	good=$(printf user:pass:word | base64) wrong=$(printf user:wrong | base64)
	mkdir -p "$HOME/.docker"
	echo "{\"auths\":{\"127.0.0.1:5443\":{\"auth\":\"$wrong\"},\"127.0.0.1:5443/a\":{\"auth\":\"$good\"}}}" >"$HOME/.docker/config.json"
	pulls 127.0.0.1:5443/a/b:t "${o[@]}"
	rm -rf "$S"
	echo "{\"auths\":{\"127.0.0.1:5443\":{\"auth\":\"$wrong\"}}}" >"$HOME/.docker/config.json"
	pull 127.0.0.1:5443/a/b:t "${o[@]}"
	fails "authentication is required"
	mkdir "$C/bin"
	printf '#!/bin/sh\nread -r s; [ "$s" = 127.0.0.1:5443 ] && echo "{\\"Username\\":\\"user\\",\\"Secret\\":\\"pass:word\\"}"\n' >"$C/bin/docker-credential-test"
	chmod 755 "$C/bin/docker-credential-test"
	echo '{"credHelpers":{"127.0.0.1:5443":"test"}}' >"$HOME/.docker/config.json"
	PATH=$C/bin:$PATH pulls 127.0.0.1:5443/a/b:t "${o[@]}"
}

# cutting PORT TO LIMIT: a proxy in between that cuts a connection, without a word, when so many bytes came back by it, and says so in $C/cuts.
cutting() {
	python3 - "$@" "$C/cuts" <<-'END' &
		import socket, sys, threading
		port, to, limit = map(int, sys.argv[1:4])
		def carry(a, b, left):
		    try:
		        while left > 0:
		            data = a.recv(1 << 16)
		            if not data: break
		            b.sendall(data)
		            left -= len(data)
		        if left <= 0: open(sys.argv[4], "a").write("cut\n")
		    except OSError: pass
		    for s in (a, b):
		        try: s.shutdown(socket.SHUT_RDWR)
		        except OSError: pass
		l = socket.create_server(("127.0.0.1", port))
		while True:
		    a = l.accept()[0]
		    b = socket.create_connection(("127.0.0.1", to))
		    threading.Thread(target=carry, args=(a, b, 1 << 60), daemon=True).start()
		    threading.Thread(target=carry, args=(b, a, limit), daemon=True).start()
	END
	for _ in {1..100}; do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.05
	done
	die "no proxy"
}
# pull_measured STORE REFERENCE: PEAK, its memory in KiB.
pull_measured() {
	PEAK=$(python3 -c 'import os,resource,subprocess,sys
r = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(r.returncode)' "$TOOL" --store "$1" pull --tls-verify=false --unpack "$2" 2>"$C/err") || die "$(<"$C/err")"
	ERR=$(<"$C/err")
	sanitized || at_most "$PEAK" 120000 "peak memory in KiB"
}

# RF_TEST_BIG: its MiB.
tc two_gb 'a layer of many megabytes, and forty layers; the same through a line that is cut again and again'
two_gb() {
	local size=${RF_TEST_BIG:-200}
	needs_registry
	start_registry 5000
	python3 - "$C/big" "$size" <<-'END' || die "no image"
		import gzip, hashlib, io, json, os, sys, tarfile
		top = sys.argv[1]
		os.makedirs(top + "/blobs/sha256")
		def put(data):
		    d = hashlib.sha256(data).hexdigest()
		    open(top + "/blobs/sha256/" + d, "wb").write(data)
		    return {"digest": "sha256:" + d, "size": len(data)}
		layers, diffs = [], []
		for i in range(41):
		    f = io.BytesIO()
		    with tarfile.open(fileobj=f, mode="w") as t:
		        data = os.urandom(int(sys.argv[2]) << 20 if i == 40 else 5000)
		        m = tarfile.TarInfo("file%d" % i)
		        m.size = len(data)
		        t.addfile(m, io.BytesIO(data))
		    data = f.getvalue()
		    diffs.append("sha256:" + hashlib.sha256(data).hexdigest())
		    layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", **put(data)})
		config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}).encode())
		m = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}, "layers": layers}).encode())
		json.dump({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **m,
		           "annotations": {"org.opencontainers.image.ref.name": "t"}}]}, open(top + "/index.json", "w"))
		open(top + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
		print(m["digest"])
	END
	push --preserve-digests "oci:$C/big:t" docker://127.0.0.1:5000/big:t --dest-tls-verify=false
	local digest
	digest=$(jq -r '.manifests[0].digest' "$C/big/index.json")
	pull_measured "$S" 127.0.0.1:5000/big:t
	whole "$C/big/blobs/${digest/://}"
	eq "$(find "$S/layers" -maxdepth 1 -mindepth 1 | wc -l)" 41 "unpacked layers"
	rm -rf "$S"
	cutting 5001 5000 $(((size << 20) * 2 / 7))
	pull_measured "$S" 127.0.0.1:5001/big:t
	whole "$C/big/blobs/${digest/://}"
	eq "$(wc -l <"$C/cuts")" 3 "cuts"
}
sanitized() { [[ -n ${SANITIZED:-} ]]; }

tc unpacked '--unpack: all layers, in their order; --policy missing asks nobody'
unpacked() {
	start_bad
	bad ok --unpack
	eq "$RC" 0
	eq "$(find "$S/layers" -maxdepth 1 -mindepth 1 | wc -l)" 4 "unpacked layers"
	eq "$(cat "$S"/layers/*/diff/etc/greeting)" hello
	local n
	n=$(seen length)
	bad ok --policy missing --unpack
	eq "$RC" 0
	eq "$OUT" "$DIGEST"
	eq "$(seen length)" "$n" requests
	# Its layers are needed as well.
	rm "$S/blobs/$(last_layer | tr : /)"
	bad_pulls ok --policy missing
}

# --- connections that end -------------------------------------------------------------------------------------------------------------

tc cut_once 'a connection cut at any offset is gone on with by range'
cut_once() {
	local at
	start_bad
	bad_pulls reset/100000
	for at in 0 1 511 100000; do
		rm -rf "$S" && : >"$LOG"
		bad_pulls "cutonce/$at"
		[[ $at == 0 ]] || eq "$(seen "[.[]|select(.range==\"bytes=$at-\")]|length > 0")" true "ranges"
	done
}

tc cut_often 'connections that are cut every 300 KB get a layer of 3 MB all the same, without a limit on their number'
cut_often() {
	start_bad
	bad_pulls cut/300000 --retry 2
	at_least "$(seen "[.[]|select(.range!=null)]|length")" 9 ranges
}

tc cut_always 'connections that bring next to nothing are given up; the part that came is kept, and gone on with by the next pull'
cut_always() {
	start_bad
	bad cut/100000 --retry 1
	fails layer "127.0.0.1"
	at_least "$(partials)" 1 "partial files"
	local begun
	begun=$(find "$S/tmp" -name 'partial-*' -printf '%s\n' | sort -n | tail -n 1)
	at_least "$begun" 100000
	: >"$LOG"
	bad_pulls ok
	# Layers are cut at the same place: how many got that far is a matter of time.
	at_least "$(seen "[.[]|select(.range==\"bytes=$begun-\")]|length")" 1 "requests that go on"
}

tc killed 'a pull that is killed in the middle of a layer goes on where it was'
killed() {
	start_bad
	"$TOOL" --store "$S" pull --tls-verify=false "127.0.0.1:$PORT/stall:t" 2>/dev/null &
	local pid=$! i
	for ((i = 0; i < 200 * SCALE; i++)); do
		[[ $(find "$S/tmp" -name 'partial-*' -size +1000k 2>/dev/null | wc -l) -gt 0 ]] && break
		sleep 0.05
	done
	kill -9 $pid
	wait $pid
	at_least "$(partials)" 1 "partial files"
	intact
	: >"$LOG"
	bad_pulls ok
	at_least "$(seen "[.[]|select(.range!=null)]|length")" 1 "requests that go on"
}

tc damaged_part 'a partial file that is no beginning of the layer is found out, and the layer fetched whole'
damaged_part() {
	start_bad
	mkdir "$S" && bad nothing
	local d
	d=$(last_layer)
	head -c 1000 /dev/zero >"$S/tmp/partial-sha256-${d#sha256:}"
	bad_pulls ok
	eq "$(seen "[.[]|select(.path|endswith(\"$d\"))|.range]|@json")" '["bytes=1000-",null]' requests
	rm -rf "$S" && mkdir "$S" && bad nothing
	head -c 5000000 /dev/zero >"$S/tmp/partial-sha256-${d#sha256:}"
	bad_pulls ok
}

tc no_ranges 'servers that ignore ranges, answer 416, or send another part: the layer comes from its beginning'
no_ranges() {
	start_bad
	for repository in norange/1000 badrange range416 noclen chunked; do
		rm -rf "$S"
		bad_pulls "$repository"
	done
}

tc liar 'a part whose content is wrong is not taken'
liar() {
	start_bad
	bad liarange
	fails layer "damaged on its way, or exchanged"
}

tc lie_length 'a Content-Length that is not the size is refused at once'
lie_length() {
	start_bad
	bad lielength --retry 1
	fails layer "bytes of that name, and the image says"
}

tc stall 'a server that falls silent is given up after --timeout'
stall() {
	start_bad
	local begin=$SECONDS
	bad stall --timeout 1 --retry 0
	fails layer "127.0.0.1"
	at_least "$(partials)" 1 "partial files"
	bad stallmanifest --timeout 1 --retry 0
	fails "127.0.0.1"
	at_most $((SECONDS - begin)) $((25 * SCALE)) seconds
}

# --- content that is not what it should be --------------------------------------------------------------------------------------------

tc wrong_content 'a layer, config or manifest with another digest or size is refused, and nothing of it is kept under its name'
wrong_content() {
	start_bad
	refused digest -- layer "damaged on its way, or exchanged"
	refused configdigest -- config "damaged on its way, or exchanged"
	refused mdigest -- "mdigest:t: Docker-Content-Digest: content is"
	refused mbaddigest -- Docker-Content-Digest "no digest"
	refused short -- layer "bytes of that name, and the image says"
	refused long -- layer "bytes of that name, and the image says"
	refused size/plus -- layer "bytes of that name, and the image says"
	refused size/minus -- layer "bytes of that name, and the image says"
	refused size/huge -- layer "bytes of that name, and the image says"
	refused bigconfig -- "too large for a config"
	eq "$(partials)" 0 "partial files"
	pull "127.0.0.1:$PORT/mother@$DIGEST" --tls-verify=false
	fails "mother@$DIGEST: the manifest: content is"
	refused wrongdiff --unpack -- "config says"
}

tc endless 'answers without an end: layers, manifests, headers, errors'
endless() {
	start_bad
	refused endless -- layer "longer than"
	refused endlessmanifest -- "longer than the 4194304 bytes"
	refused bigmanifest -- "longer than the 4194304 bytes"
	refused endlessheaders -- "headers are endless"
	refused longheader -- "127.0.0.1"
	refused endless100 -- "headers are endless"
	refused endlesserror -- "does not have it" "404: an error [31m without end"
	refused nohttp -- "127.0.0.1"
	at_most "$(du -sk "$S" | cut -f1)" 8000 "KiB in the store"
}

tc no_manifest 'what is no image is refused by what it is'
no_manifest() {
	start_bad
	refused empty -- empty
	refused html -- "neither a manifest nor an index" "text/html"
	refused both -- "127.0.0.1:$PORT/both:t"
	refused contradiction -- "127.0.0.1:$PORT/contradiction:t"
	refused artifact -- "no image that can be run" "vnd.cncf.helm"
	refused schema1/typed -- "schema 1"
	refused schema1 -- "schema 1"
	refused gzipped/manifest -- "Content-Encoding: gzip"
}

tc odd_manifest 'what is odd but right is taken: no media type, sha512, content in descriptors, an encoding that is only said'
odd_manifest() {
	start_bad
	bad_pulls untyped
	eq "$(jq -r '.manifests[0].mediaType' "$S/index.json")" application/vnd.oci.image.manifest.v1+json
	rm -rf "$S"
	bad m512
	eq "$RC" 0
	eq "$OUT" "sha512:$(sha512sum <"$T/manifest" | cut -d' ' -f1)"
	intact
	rm -rf "$S"
	bad sha512
	eq "$RC" 0
	intact
	eq "$(find "$S/blobs/sha512" -type f | wc -l)" 5 "blobs by sha512"
	rm -rf "$S"
	bad_pulls inline
	rm -rf "$S"
	bad inline/wrong
	fails config "does not have it"
	rm -rf "$S"
	bad_pulls gzipped/label
	# Nothing else is asked for.
	eq "$(seen '[.[]|."accept-encoding"]|unique|@json')" '["identity"]'
}

tc indexes 'an index: the image of this machine, also from an index in an index; another platform; all of them; none'
indexes() {
	start_bad
	bad_pulls index
	eq "$(jq -r '.manifests[0].mediaType' "$S/index.json")" application/vnd.oci.image.index.v1+json
	eq "$(find "$S/blobs/sha256" -type f | wc -l)" 7 blobs
	rm -rf "$S"
	bad_pulls index/nested
	bad index --platform linux/s390x
	eq "$RC" 0
	rm -rf "$S"
	bad index --platform linux/riscv64
	fails "no image for platform linux/riscv64"
	bad index/foreign
	fails "no image for platform linux/"
	bad index/deep
	fails "nested more than"
	bad_pulls index --all-platforms
	eq "$(find "$S/blobs/sha256" -type f | wc -l)" 11 blobs
	rm -rf "$S"
	bad ok --platform linux/s390x
	fails "there is none for linux/s390x"
}

# --- redirects ------------------------------------------------------------------------------------------------------------------------

AUTHORIZED='[.[]|select(.authorization!=null)|.host]|unique|@json'

tc redirected 'redirects: credentials go along to the registry itself, and to nobody else'
redirected() {
	start_bad
	bad_pulls redirect/other --creds user:pass:word
	eq "$(seen "$AUTHORIZED")" "[\"127.0.0.1:$PORT\"]" "hosts that got credentials"
	at_least "$(seen "[.[]|select(.host==\"127.0.0.2:$OTHER\")]|length")" 4 "requests elsewhere"
	rm -rf "$S"
	bad_pulls redirect/same --creds user:pass:word
	rm -rf "$S" && : >"$LOG"
	# Another port is another server.
	bad_pulls redirect/port --creds user:pass:word
	eq "$(seen "[.[]|select(.host==\"127.0.0.1:$OTHER\" and .authorization!=null)]|length")" 0 "requests with credentials"
}

tc foreign_challenge 'a challenge of a host that one was redirected to is not answered (CVE-2020-15157)'
foreign_challenge() {
	start_bad
	bad redirect/wants --creds user:pass:word
	fails layer 401
	eq "$(seen '[.[]|select(.path|startswith("/token"))]|length')" 0 "requests for tokens"
	eq "$(seen "$AUTHORIZED")" "[\"127.0.0.1:$PORT\"]" "hosts that got credentials"
}

tc bad_redirects 'redirects that go nowhere, round in circles, to files, or have passwords in them'
bad_redirects() {
	start_bad
	refused redirect/loop -- "redirected more than"
	refused redirect/growing -- "redirected more than"
	refused redirect/file -- "neither https nor http"
	refused redirect/user -- "user name in it"
	refused redirect/nowhere -- "not told where"
	refused redirect/nonsense -- "no URL"
	refused redirect/long -- "header is too long"
}

tc elsewhere 'layers that are elsewhere (urls) are fetched there, without credentials'
elsewhere() {
	start_bad
	bad urls --creds user:pass:word
	eq "$RC" 0
	whole
	eq "$(seen "$AUTHORIZED")" "[\"127.0.0.1:$PORT\"]" "hosts that got credentials"
	rm -rf "$S"
	bad urls --creds user:pass:word --parallel 1
	eq "$RC" 0
}

# With TLS: start_tls; tls_pull REPOSITORY [OPTION...]
start_tls() {
	start_bad --tls "$T/certs/server.crt" "$T/certs/server.key" "$@"
	mkdir -p "$C/certs" && cp "$T/certs/ca.crt" "$C/certs/"
}
tls_pull() {
	local repository=$1
	shift
	pull "127.0.0.1:$PORT/$repository:t" --cert-dir "$C/certs" "$@"
}

tc from_tls 'from TLS nothing leads to plain http: no redirect, no token service, no urls'
from_tls() {
	start_tls
	tls_pull ok
	eq "$RC" 0
	rm -rf "$S"
	tls_pull redirect/other --creds user:pass:word
	eq "$RC" 0
	rm -rf "$S"
	tls_pull redirect/plain --retry 0
	fails "redirected from https to http"
	tls_pull realm/plain --creds user:pass:word
	fails "token service without TLS"
	eq "$(seen '[.[]|select(.path|startswith("/token"))]|length')" 0 "requests for tokens"
	tls_pull bearer-user --creds user:pass:word
	eq "$RC" 0
}

tc client_certificate 'certs.d with a certificate of our own, and without its key'
client_certificate() {
	start_tls --client-ca "$T/certs/ca.crt"
	tls_pull ok --retry 0
	fails "127.0.0.1"
	cp "$T/certs/client.crt" "$C/certs/client.cert"
	tls_pull ok
	fails "client.key"
	cp "$T/certs/client.key" "$C/certs/client.key"
	tls_pull ok
	eq "$RC" 0
}

# --- credentials ----------------------------------------------------------------------------------------------------------------------

tc basic 'basic authentication: asked for once, wrong passwords said so, also where access is denied'
basic() {
	start_bad
	bad basic
	fails "authentication is required" "ringfence login"
	: >"$LOG"
	bad_pulls basic --creds user:pass:word --parallel 1
	eq "$(seen '[.[]|select(.authorization==null)]|length')" 1 "requests without credentials"
	rm -rf "$S"
	bad basic --creds user:wrong
	fails 'asked as user "user"'
	bad forbidden --creds user:pass:word
	fails "access is denied" "DENIED"
	bad digestauth --creds user:pass:word
	fails 'by "digest"'
}

tc bearer 'bearer tokens: fetched once for all threads, scope and service sent, renewed when they end, also by identity token'
bearer() {
	start_bad
	bad_pulls bearer
	eq "$(seen '[.[]|select(.path|startswith("/token"))]|length')" 1 "requests for tokens"
	eq "$(seen '.[]|select(.path|startswith("/token"))|.path')" "/token/bearer?service=reg%20%26%20co&scope=repository%3abearer%3apull"
	rm -rf "$S" && : >"$LOG"
	bad_pulls bearer/2
	at_least "$(seen '[.[]|select(.path|startswith("/token"))]|length')" 2 "requests for tokens"
	rm -rf "$S"
	bad_pulls bearer-user --creds user:pass:word
	rm -rf "$S"
	bad bearer-user
	fails "token service" "authentication is required"
	bad bearer-user --creds user:wrong
	fails 'does not take the password of user "user"'
	bad bearer-denied
	fails "token service" "no tokens today"
	bad_pulls bearer-busy
	rm -rf "$S"
	mkdir -p "$HOME/.docker"
	echo "{\"auths\":{\"127.0.0.1:$PORT\":{\"identitytoken\":\"the refresh/token\"}}}" >"$HOME/.docker/config.json"
	bad_pulls bearer-refresh
	eq "$(seen '[.[]|select(.method=="POST")|.path]|unique|@json')" '["/token/bearer-refresh"]'
	echo "{\"auths\":{\"127.0.0.1:$PORT\":{\"identitytoken\":\"an/other\"}}}" >"$HOME/.docker/config.json"
	rm -rf "$S"
	bad bearer-refresh
	fails "does not take the identity token"
	hasnt "$ERR" an/other
}

tc token_redirect 'a token service that redirects elsewhere does not take the password with it'
token_redirect() {
	start_bad
	bad_pulls bearer-redirected --creds user:pass:word
	eq "$(seen "[.[]|select((.authorization//\"\")|startswith(\"Basic\"))|.host]|unique|@json")" "[\"127.0.0.1:$PORT\"]"
}

tc realms 'challenges and tokens that nobody should believe'
realms() {
	start_bad
	local o=(--creds user:pass:word --retry 1)
	refused realm/none "${o[@]}" -- "does not say whose"
	refused realm/empty "${o[@]}" -- "does not say whose"
	refused realm/ftp "${o[@]}" -- "neither https nor http"
	refused realm/file "${o[@]}" -- "neither https nor http"
	refused realm/user "${o[@]}" -- "user name in it"
	refused realm/unended "${o[@]}" -- "cannot be understood"
	refused realm/twice "${o[@]}" -- "twice"
	refused realm/endless "${o[@]}" -- "longer than"
	refused realm/blank "${o[@]}" -- "no token"
	refused realm/crlf "${o[@]}" -- "no token"
	refused realm/long "${o[@]}" -- "no token"
	refused realm/notoken "${o[@]}" -- "no token"
	refused realm/nojson "${o[@]}" -- "token service"
	refused realm/wrongtype "${o[@]}" -- "token"
	refused realm/loop "${o[@]}" -- "redirected more than"
	: >"$LOG"
	refused realm/useless "${o[@]}" -- "authentication is required"
	at_most "$(seen length)" 6 requests
}

# --- overload -------------------------------------------------------------------------------------------------------------------------

tc overloaded '429 with Retry-After is waited for, within reason; 5xx and lost connections are tried again'
overloaded() {
	start_bad
	local begin=$SECONDS
	bad_pulls busy/1
	at_least $((SECONDS - begin)) 3 seconds
	rm -rf "$S"
	bad busy/9999
	fails "asks to be left alone for 9999 seconds"
	bad_pulls faulty/2
	rm -rf "$S"
	bad faulty/9 --retry 1
	fails "HTTP status 5"
	bad_pulls flaky
}

# --- where from -----------------------------------------------------------------------------------------------------------------------

conf() { cat >"$C/registries.conf"; }

tc mirrors 'mirrors: the first that has the image, and for a layer that it lacks the next; the name stays the one that was asked for'
mirrors() {
	start_bad
	conf <<-END
		[[registry]]
		prefix = "some.example/ns"
		location = "127.0.0.1:$PORT/ok"
		insecure = true
		[[registry.mirror]]
		location = "127.0.0.1:$PORT/nothing"
		insecure = true
		[[registry.mirror]]
		location = "127.0.0.1:1/x"
		[[registry.mirror]]
		location = "127.0.0.1:$PORT/half"
		insecure = true
	END
	bad_pulls_as some.example/ns/a:t
	eq "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$S/index.json")" some.example/ns/a:t
	eq "$(seen '[.[]|select(.path|test("^/v2/ok/"))]|length')" 1 "requests to the place itself"
	eq "$(seen "[.[]|select(.path|endswith(\"$(last_layer)\"))|.path|split(\"/\")[2]]|@json")" '["half","ok"]'
}
bad_pulls_as() { pull "$1" --registries-conf "$C/registries.conf" && eq "$RC" 0 "exit status" && whole; }

tc short_names 'short names: aliases, searched registries in their order, blocked ones'
short_names() {
	start_bad
	conf <<-END
		unqualified-search-registries = ["127.0.0.1:1", "127.0.0.1:$PORT"]
		[[registry]]
		location = "127.0.0.1:$PORT"
		insecure = true
		[[registry]]
		location = "blocked.example"
		blocked = true
		[aliases]
		"nick" = "127.0.0.1:$PORT/ok/name"
	END
	bad_pulls_as nick:t
	eq "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$S/index.json")" "127.0.0.1:$PORT/ok/name:t"
	rm -rf "$S"
	bad_pulls_as ok:t
	eq "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$S/index.json")" "127.0.0.1:$PORT/ok:t"
	rm -rf "$S"
	pull nothing:t --registries-conf "$C/registries.conf"
	fails "none of 2 places has it" "127.0.0.1:1" "manifest unknown"
	pull blocked.example/a --registries-conf "$C/registries.conf"
	fails "registries are blocked"
}

tc proxied 'proxies of the environment, which do not see the credentials of what goes through'
proxied() {
	start_bad
	http_proxy=http://pu:pp@127.0.0.1:$PORT pull "ok.invalid/ok:t" --tls-verify=false
	eq "$RC" 0
	whole
	at_least "$(seen '[.[]|select(.path|startswith("http://ok.invalid/v2/ok/"))]|length')" 6 "requests through the proxy"
	rm -rf "$S" && : >"$LOG"
	HTTP_PROXY=http://127.0.0.1:$PORT pull "ok.invalid/ok:t" --tls-verify=false
	eq "$RC" 0
	rm -rf "$S"
	http_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1 bad_pulls ok
}

tc together 'many pulls of the same image at once, into one store'
together() {
	start_bad
	local pids=() pid i failed=0
	for i in 1 2 3 4 5 6; do
		"$TOOL" --store "$S" pull --tls-verify=false --unpack "127.0.0.1:$PORT/ok:t" >"$C/out$i" 2>"$C/err$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	eq $failed 0 "$(cat "$C"/err*)"
	whole
	eq "$(find "$S/layers" -maxdepth 1 -mindepth 1 | wc -l)" 4 "unpacked layers"
}
