# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154,SC2317
# The cases of tests/images/real.

tc real_nginx 'nginx: its page through a published port, its log on stdout, reloaded by exec, stopped by SIGQUIT, restarted'
real_nginx() {
	needs_bridge
	make_image nginx 'ln -sf /dev/stdout /var/log/nginx/access.log; ln -sf /dev/stderr /var/log/nginx/error.log; echo hello >/var/www/html/index.html' \
		-c 'CMD ["nginx","-g","daemon off;"]' -c 'STOPSIGNAL SIGQUIT' -c 'EXPOSE 80'
	good launch -d -p 18080:80 nginx app
	until_ok 10 page 127.0.0.1:18080
	eq "$(page 198.51.100.2:18080)" hello
	eq "$(from_world bash -c 'page 198.51.100.2:18080')" hello "from another host"
	lives app '"GET / HTTP/1.1" 200'
	good port app
	eq "$OUT" '80/tcp -> 0.0.0.0:18080'
	good exec app sh -c 'echo changed >/var/www/html/index.html && nginx -s reload'
	until_ok 5 page 127.0.0.1:18080
	eq "$(page 127.0.0.1:18080)" changed
	stops app
	page 127.0.0.1:18080 >/dev/null 2>&1 && die "still served"
	good restart app
	until_ok 10 page 127.0.0.1:18080
	eq "$(page 127.0.0.1:18080)" changed "what a restart keeps"
	stops app
	# Its root file system may be read-only, and the document root a directory of the host.
	mkdir -p "$T/www" && echo mine >"$T/www/index.html"
	good launch -d --read-only --tmpfs /run --tmpfs /var/lib/nginx -v "$T/www:/var/www/html:ro" -p 18081:80 nginx other
	until_ok 10 page 127.0.0.1:18081
	eq "$(page 127.0.0.1:18081)" mine
	stops other
}

# In a network of its own: nobody reaches it but who joins that.
tc real_postgresql 'PostgreSQL: initdb into a named volume, psql from another partition, stop, restart, kill -9: the data stays'
real_postgresql() {
	local join
	make_image postgresql 'rm -rf /var/lib/postgresql/15' -c 'USER postgres' -c 'STOPSIGNAL SIGINT' -c 'ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data' \
		-c 'CMD ["sh","-ec","[ -e $PGDATA/PG_VERSION ] || initdb -A trust >/dev/null; exec postgres -k /tmp"]' -c 'VOLUME /var/lib/postgresql'
	good launch -d -v pg:/var/lib/postgresql postgresql app
	until_ok 60 query 'select 1'
	# A sandbox shares its network with nobody.
	join=(launch --network container:app postgresql other --)
	[[ -z $ISOLATED ]] || join=(exec app)
	good "${join[@]}" psql -qAt -h 127.0.0.1 -c 'create table t (n int)' \
		-c 'insert into t select generate_series(1, 10000)' -c 'select sum(n) from t'
	eq "$OUT" 50005000
	[[ -n $ISOLATED ]] || good rm -v other
	lives app 'ready to accept connections'
	stops app
	good logs app
	has "$OUT$ERR" 'database system is shut down'
	good restart app
	until_ok 20 query 'select 1'
	eq "$(query 'select sum(n) from t')" 50005000
	# The loss of power, and another partition with the same volume.
	query 'insert into t values (1)'
	good kill app KILL
	until_ok 5 is_now app exited
	good rm -v app
	good launch -d -v pg:/var/lib/postgresql postgresql app
	until_ok 30 query 'select 1'
	eq "$(query 'select sum(n) from t')" 50005001
	good logs app
	has "$OUT$ERR" 'was not properly shut down'
	good volume ls
	has "$OUT" pg
	stops app
}
query() { rt exec app psql -qAt -h /tmp -c "$1"; }

tc real_redis 'Redis: a published port, data in a volume, back by itself after kill -9 by --restart, SIGTERM saves'
real_redis() {
	needs_bridge
	make_image redis true -c 'USER redis' -c 'WORKDIR /var/lib/redis' -c 'VOLUME /var/lib/redis' \
		-c 'CMD ["redis-server","--appendonly","yes","--bind","0.0.0.0","--protected-mode","no"]'
	good launch -d --restart always -v keep:/var/lib/redis -p 127.0.0.1:16379:6379 -m 256m redis app
	until_ok 10 pong
	eq "$(redis SET greeting hello)" +OK
	lives app 'Ready to accept connections'
	good exec app redis-cli get greeting
	eq "$OUT" hello
	good exec app sh -c 'redis-benchmark -q -n 2000 -t set,get >/dev/null'
	kill -9 "$(of app .pid)"
	until_ok 15 pong
	eq "$(redis STRLEN greeting)" :5 "after kill -9"
	stops app
	good restart app
	until_ok 10 pong
	eq "$(redis STRLEN greeting)" :5 "after stop"
	good rm -f app
	good launch -d -v keep:/var/lib/redis -p 127.0.0.1:16379:6379 redis app
	until_ok 10 pong
	eq "$(redis STRLEN greeting)" :5 "in another partition"
}
redis() { timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/16379 && echo "$*" >&3 && read -r line <&3 && echo "${line%$'"'\\r'"'}"' bash "$@"; }
# Not before it has loaded what it had: until then it answers, too, but not this.
pong() { [[ $(redis PING) == +PONG ]]; }

tc real_python 'Python: http.server through a published port; a script on standard input; processes, threads, semaphores, sockets'
real_python() {
	needs_bridge
	make_image python true -c 'CMD ["python3"]' -c 'ENV PYTHONUNBUFFERED=1'
	good launch -d --init -w /usr/share -p 18082:8000 python app -- python3 -m http.server
	until_ok 10 page 127.0.0.1:18082
	has "$(from_world bash -c 'page 198.51.100.2:18082')" 'Directory listing'
	lives app 'GET / HTTP/1.1'
	stops app ''
	good restart app
	until_ok 10 page 127.0.0.1:18082
	good rm -f app
	OUT=$(rt launch -i --rm python 2>&1 <<-'PYTHON'
		import asyncio, multiprocessing as mp, os, socket, ssl, subprocess, sys, tempfile, threading, time
		def square(n): return n * n
		if __name__ == "__main__":
		    ctx = mp.get_context("fork")
		    with ctx.Pool(3) as pool: assert pool.map(square, range(50))[49] == 2401
		    lock = ctx.Lock()
		    with lock: pass
		    threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(50)]
		    for t in threads: t.start()
		    for t in threads: t.join()
		    assert subprocess.run(["id", "-u"], capture_output=True, text=True).stdout == "0\n"
		    async def echo():
		        async def serve(r, w):
		            w.write(await r.readline()); w.close()
		        s = await asyncio.start_server(serve, "127.0.0.1", 0)
		        r, w = await asyncio.open_connection(*s.sockets[0].getsockname())
		        w.write(b"asyncio\n")
		        return await r.readline()
		    assert asyncio.run(echo()) == b"asyncio\n"
		    with tempfile.NamedTemporaryFile() as f:
		        os.chown(f.name, 1234, 1234); os.setxattr(f.name, "user.x", b"y"); os.chmod(f.name, 0o4755)
		        assert os.stat(f.name).st_uid == 1234 and os.getxattr(f.name, "user.x") == b"y"
		    ssl.create_default_context()
		    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
		    for call, args in ((os.mkfifo, ("/tmp/f",)), (os.symlink, ("a", "/tmp/l")), (os.setpriority, (0, 0, 5))): call(*args)
		    try: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)); sys.exit("a block device")
		    except PermissionError: pass
		    print("all", os.getpid())
	PYTHON
	) || die "python: $OUT"
	eq "$OUT" 'all 1'
	good launch --rm python -- python3 -c 'import sys; sys.stderr.write("an error"); print("output")'
	eq "$OUT/$ERR" 'output/an error'
	RC=0
	rt launch --rm python -- python3 -c 'raise SystemExit(42)' || RC=$?
	eq $RC 42 "exit status"
}

tc real_apt 'apt-get install in a Debian root: packages are unpacked and configured, and what they brought runs'
real_apt() {
	good launch -e DEBIAN_FRONTEND=noninteractive -v "$DEBS/python:/debs:ro" base app -- \
		sh -c 'set -e; apt-get -qy -o Dpkg::Options::=--force-unsafe-io install /debs/*.deb; dpkg --audit; python3 -c "print(6 * 7)"'
	eq "$(tail -n 1 <<<"$OUT")" 42
}

tc real_node 'Node: a server through a published port; SIGTERM ends it with its handler, or by --init'
real_node() {
	local server='console.log("listening"); require("http").createServer((q, a) => { console.log(q.url); a.end("node" + q.url) }).listen(8080)'
	needs_bridge
	make_image node true -c 'ENTRYPOINT ["node"]' -c 'ENV NODE_ENV=production'
	good launch -d -p 18083:8080 node app -- -e "process.on('SIGTERM', () => { console.log('bye'); process.exit(3) }); $server"
	until_ok 15 page 127.0.0.1:18083/a
	eq "$(from_world bash -c 'page 198.51.100.2:18083/b')" node/b
	lives app /b
	stops app 3
	good logs -n 1 app
	eq "$OUT" bye
	good restart app
	until_ok 15 page 127.0.0.1:18083/c
	good rm -f app
	good launch -d --init -p 18083:8080 node app -- -e "$server"
	until_ok 15 page 127.0.0.1:18083/d
	stops app 143
	# Its threads, WebAssembly's memory and the compiler's write-or-execute pages.
	good launch --rm -m 512m node -- -e 'const { Worker } = require("worker_threads"), fs = require("fs");
		let s = 0; for (let i = 0; i < 1e7; i++) s += i % 2;
		new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
		fs.mkdtempSync("/tmp/x"); const w = new Worker("require(\"worker_threads\").parentPort.postMessage(require(\"crypto\").randomBytes(8).length)", { eval: true });
		w.on("message", n => require("child_process").exec("uname", (e, out) => console.log(n, s, out.trim())))'
	eq "$OUT" '8 5000000 Linux'
}

tc real_systemd 'systemd by --boot: services, journal, slices, power-off from inside and outside; all of its sandboxing with SYS_ADMIN'
real_systemd() {
	RF_TEST_SLOW=${RF_TEST_SLOW:-} "$HERE/real_systemd.sh" "$RT" "$T" base
}

tc real_systemd_lab 'systemd by --boot out of the root file system of a systemd host with cgroup v2, with both cgroup managers'
real_systemd_lab() {
	local status=0
	[[ -n ${RF_REAL_ALL:-} ]] || skip "RF_REAL_ALL=1 asks for it"
	# On ext4, since tmpfs has no mounts with mapped ids in its kernel, and so no user namespaces for partitions.
	"$HERE/../lab/run" --skip-missing --timeout 600 --mem 3072 --add "$RT" --add "${RT%/*}/ringfence-image" --add "$HERE/real_systemd.sh" -- env RF_TEST_SLOW=1 \
		bash -c 'truncate -s 2G /tmp/disk && mkfs.ext4 -q /tmp/disk && mkdir /mnt/d && mount -o loop /tmp/disk /mnt/d && export NEEDS_USERNS=1 &&
			/lab/real_systemd.sh /lab/ringfence /mnt/d && /lab/real_systemd.sh /lab/ringfence /mnt/d machine --cgroup-manager systemd' || status=$?
	return $status
}

tc real_peers 'an image of nginx, saved, is file by file what umoci and podman make of it'
real_peers() {
	[[ -n ${RF_REAL_ALL:-} ]] || skip "RF_REAL_ALL=1 asks for it"
	make_image nginx
	mkdir "$T/peers"
	# Unpacks it.
	good launch --rm nginx -- rm -rf /srv
	cat >"$T/tool" <<-TOOL
		#!/bin/sh
		exec "$RT" --data "$T/data" "\$@"
	TOOL
	chmod 755 "$T/tool"
	"$HERE/real_peers.py" "$T/tool" "$T/data/store" nginx "$T/peers" || exit $?
	rm -rf "$T/peers"
}
