/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs inside while ringfence-bench measures: a static program without a C library.
 *
 * Its first instructions are the measured ones: a C library's start-up costs more than some of the
 * differences that are looked for, and its memory would be counted as the design's. So it is a handful of
 * system calls, on every design the same file, also as the first process of a virtual machine, whose console
 * is its output.
 *
 *   first             says MARK and exits
 *   late USEC         waits USEC, says MARK and exits
 *   vm-first          says MARK and ends the machine whose init it is; so does vm-work
 *   idle              says MARK and sleeps for ever
 *   web               serves HTTP on port 8080 of its network, says MARK when it has answered itself
 *   hold BYTES USEC   waits USEC, has exactly BYTES (at least 64 KiB) of its own, says MARK, sleeps
 *   nest BYTES USEC   has a child without a name or an environment that is the former
 *   work KIND         says MARK, does a fixed piece of work (see work()), says how many nanoseconds it took
 *
 * MARK is the byte 6 (ACK): neither a kernel's messages on a console nor a firmware's have it.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/reboot.h>
#include <linux/sockios.h>
#include <linux/time_types.h>

typedef unsigned long word;

#define MARK 6
#define PAGE 4096UL
#define PORT 8080
#define MIB  (1024UL * 1024UL)

/* Of headers that are libc's, or would bring them along. */
#define CLOCK_MONOTONIC 1
#define IFNAMSIZ	16
#define IFF_UP		1
#define IFF_RUNNING	0x40
#define INADDR_LOOPBACK 0x7f000001
#define FAMILY_INET	2
#define TYPE_STREAM	1
#define SIG_CHILD	17

/* --- the machine -------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
__asm__(".text\n"
	".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call payload_main\n"
	"	hlt\n"
	".size _start, .-_start\n");

static long sc(long nr, word a, word b, word c, word d, word f, word g)
{
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = f;
	register word r9 __asm__("r9") = g;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, sp\n"
	"	bl payload_main\n"
	"	brk #0\n"
	".size _start, .-_start\n");

static long sc(long nr, word a, word b, word c, word d, word f, word g)
{
	register word x8 __asm__("x8") = (word)nr;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = f;
	register word x5 __asm__("x5") = g;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return (long)x0;
}
#else
#error "bench/payload.c: no system calls for this machine yet"
#endif

#define SC0(nr)		    sc(nr, 0, 0, 0, 0, 0, 0)
#define SC1(nr, a)	    sc(nr, (word)(a), 0, 0, 0, 0, 0)
#define SC2(nr, a, b)	    sc(nr, (word)(a), (word)(b), 0, 0, 0, 0)
#define SC3(nr, a, b, c)    sc(nr, (word)(a), (word)(b), (word)(c), 0, 0, 0)
#define SC4(nr, a, b, c, d) sc(nr, (word)(a), (word)(b), (word)(c), (word)(d), 0, 0)

/* The compiler may call these whatever it is told. */
void *memcpy(void *to, const void *from, word n);
void *memset(void *to, int c, word n);

void *memcpy(void *to, const void *from, word n)
{
	char *t = to;
	const char *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int c, word n)
{
	char *t = to;

	while (n--)
		*t++ = (char)c;
	return to;
}

static void leave(int status)
{
	for (;;)
		SC1(__NR_exit_group, status);
}

static void say_mark(void)
{
	const char mark = MARK;

	SC3(__NR_write, 1, &mark, 1);
}

static void sleep_for_ever(void)
{
	for (;;)
		sc(__NR_ppoll, 0, 0, 0, 0, 8, 0);
}

static int is(const char *s, const char *w)
{
	while (*s && *s == *w) {
		s++;
		w++;
	}
	return *s == *w;
}

static word length(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	return n;
}

static word number(const char *s)
{
	word v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (word)(*s - '0');
	return v;
}

static long fork_child(void)
{
	return sc(__NR_clone, SIG_CHILD, 0, 0, 0, 0, 0);
}

static word now_ns(void)
{
	struct __kernel_timespec t = { 0, 0 };

	SC2(__NR_clock_gettime, CLOCK_MONOTONIC, &t);
	return (word)t.tv_sec * 1000000000UL + (word)t.tv_nsec;
}

static char *map(word bytes)
{
	long p = sc(__NR_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (word)-1, 0);

	if (p < 0 && p > -4096)
		leave(3);
	return (char *)p;
}

/* --- hold: a cost that is known ----------------------------------------------------------------------- */

/* What the kernel says is ours alone and dirty, in bytes: the stack's pages differ from start to start. */
static word own_memory(void)
{
	static const char name[] = "Private_Dirty:";
	static char text[2048];
	long fd = SC4(__NR_openat, AT_FDCWD, "/proc/self/smaps_rollup", O_RDONLY, 0), n;

	if (fd < 0)
		leave(4);
	n = SC3(__NR_read, fd, text, sizeof(text) - 1);
	SC1(__NR_close, fd);
	for (long i = 0; i + (long)sizeof(name) < n; i++) {
		word k = 0;

		while (k < sizeof(name) - 1 && text[i + (long)k] == name[k])
			k++;
		if (k < sizeof(name) - 1)
			continue;
		i += (long)k;
		while (text[i] == ' ')
			i++;
		return number(text + i) * 1024;
	}
	leave(5);
	return 0;
}

static void wait_usec(word usec)
{
	struct __kernel_timespec t = { (long)(usec / 1000000), (long)(usec % 1000000 * 1000) };

	if (usec)
		SC2(__NR_nanosleep, &t, 0);
}

static void hold(word bytes, word usec)
{
	char *p = map(bytes + PAGE);
	word used;

	wait_usec(usec);
	/* Whole small pages, or a huge one would come with the first byte of it. */
	SC3(__NR_madvise, p, bytes + PAGE, MADV_NOHUGEPAGE);
	own_memory();
	for (used = 0; own_memory() < bytes;)
		/* Page tables do not count, so this comes to its end in two rounds. */
		for (word missing = bytes - own_memory(); missing >= PAGE && used < bytes;
			missing -= PAGE, used += PAGE)
			p[used] = 1;
	say_mark();
	sleep_for_ever();
}

static void nest(char **argv)
{
	static char mode[] = "hold";
	char *words[] = { argv[0], mode, argv[2], argv[3], 0 }, *none[] = { 0 };

	if (fork_child() == 0) {
		SC3(__NR_execve, argv[0], words, none);
		leave(11);
	}
	sleep_for_ever();
}

/* --- web: small and active ------------------------------------------------------------------------------ */

struct address {
	unsigned short family, port;
	unsigned int ip;
	char rest[8];
};

static unsigned int big_endian(unsigned int v, int bytes)
{
	unsigned int out = 0;

	for (int i = 0; i < bytes; i++)
		out = out << 8 | (v >> (8 * i) & 255);
	return out;
}

static struct address loopback(int any, unsigned int port)
{
	struct address a = { FAMILY_INET, (unsigned short)big_endian(port, 2),
		any ? 0 : big_endian(INADDR_LOOPBACK, 4), "" };

	return a;
}

/* Where nobody has done so: the floor, and a virtual machine. Without the right to, it is up already. */
static void loopback_up(void)
{
	struct {
		char name[IFNAMSIZ];
		short flags;
		char rest[24];
	} request = { "lo", IFF_UP | IFF_RUNNING, "" };
	long s = SC3(__NR_socket, FAMILY_INET, TYPE_STREAM, 0);

	SC3(__NR_ioctl, s, SIOCSIFFLAGS, &request);
	SC1(__NR_close, s);
}

static const char request[] = "GET / HTTP/1.0\r\n\r\n";
static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n"
			     "Connection: close\r\n\r\nhello\n";

/* 1 if the server's answer came. */
static int ask(unsigned int port)
{
	struct address a = loopback(0, port);
	char text[256];
	long s = SC3(__NR_socket, FAMILY_INET, TYPE_STREAM, 0), n = 0, r;

	if (s < 0 || SC3(__NR_connect, s, &a, sizeof(a)) < 0)
		return 0;
	SC3(__NR_write, s, request, sizeof(request) - 1);
	while ((r = SC3(__NR_read, s, text + n, sizeof(text) - (word)n)) > 0)
		n += r;
	SC1(__NR_close, s);
	if (n != (long)sizeof(answer) - 1)
		return 0;
	for (word i = 0; i < sizeof(answer) - 1; i++)
		if (text[i] != answer[i])
			return 0;
	return 1;
}

static void serve_one(long listener)
{
	static char text[1024];
	long s = SC4(__NR_accept4, listener, 0, 0, 0);

	if (s < 0)
		return;
	if (SC3(__NR_read, s, text, sizeof(text)) > 0)
		SC3(__NR_write, s, answer, sizeof(answer) - 1);
	SC1(__NR_close, s);
}

static long listen_here(unsigned int port)
{
	struct address a = loopback(1, port);
	long s;
	int on = 1;

	loopback_up();
	s = SC3(__NR_socket, FAMILY_INET, TYPE_STREAM, 0);
	sc(__NR_setsockopt, (word)s, 1, 2, (word)&on, sizeof(on), 0);
	if (s < 0 || SC3(__NR_bind, s, &a, sizeof(a)) < 0 || SC2(__NR_listen, s, 64) < 0)
		leave(6);
	return s;
}

static int reap(long pid)
{
	int status = 0;

	return SC4(__NR_wait4, pid, &status, 0, 0) == pid ? status : -1;
}

static void web(void)
{
	long listener = listen_here(PORT), child = fork_child();

	if (child == 0)
		leave(ask(PORT) ? 0 : 7);
	if (child < 0)
		leave(8);
	serve_one(listener);
	if (reap(child) != 0)
		leave(7);
	say_mark();
	for (;;)
		serve_one(listener);
}

/* --- work: what a design takes from those who run in it ---------------------------------------------------
 */

/* MARK, and the time: what was prepared for the work is not a part of it. */
static word begin(void)
{
	say_mark();
	return now_ns();
}

/* Each returns the nanoseconds of a fixed amount of work, by its own clock. */

static word work_cpu(const char *self)
{
	word begun = begin(), x = 88172645463325252UL;

	for (word i = 0; i < 20000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	/* Whoever does not use the result does not compute it. */
	__asm__ volatile("" : : "r"(x));
	return now_ns() - begun;
}

static word work_memory(const char *self)
{
	word bytes = 16 * MIB, *p = (word *)(void *)map(bytes), begun, sum = 0;

	for (word i = 0; i < bytes / sizeof(word); i += PAGE / sizeof(word))
		p[i] = i;
	begun = begin();
	for (int round = 0; round < 8; round++) {
		for (word i = 0; i < bytes / sizeof(word); i++)
			p[i] = i + (word)round;
		for (word i = 0; i < bytes / sizeof(word); i++)
			sum += p[i];
	}
	__asm__ volatile("" : : "r"(sum));
	return now_ns() - begun;
}

/* First touches of memory: page faults, which a guest takes twice. */
static word work_faults(const char *self)
{
	word begun = begin();

	for (int round = 0; round < 8; round++) {
		char *p = map(4 * MIB);

		SC3(__NR_madvise, p, 4 * MIB, MADV_NOHUGEPAGE);
		for (word i = 0; i < 4 * MIB; i += PAGE)
			p[i] = 1;
		SC2(__NR_munmap, p, 4 * MIB);
	}
	return now_ns() - begun;
}

static word work_syscalls(const char *self)
{
	word begun = begin();

	for (int i = 0; i < 200000; i++)
		SC0(__NR_getppid);
	return now_ns() - begun;
}

/* A file without a name, in the partition's own /dev/shm, or, where there is none, in /. */
static word work_files(const char *self)
{
	static char block[64 * 1024];
	word begun = begin();
	int flags = O_RDWR | O_TMPFILE;
	long fd = SC4(__NR_openat, AT_FDCWD, "/dev/shm", flags, 0600);

	if (fd < 0)
		fd = SC4(__NR_openat, AT_FDCWD, "/", flags, 0600);
	if (fd < 0)
		leave(9);
	for (int i = 0; i < 128; i++)
		if (SC3(__NR_write, fd, block, sizeof(block)) != (long)sizeof(block))
			leave(9);
	SC3(__NR_lseek, fd, 0, 0);
	for (int i = 0; i < 128; i++)
		SC3(__NR_read, fd, block, sizeof(block));
	SC1(__NR_close, fd);
	return now_ns() - begun;
}

/* A file of the root file system, which is the host's, a disk or a server of directories: opened and read. */
static word work_open(const char *self)
{
	static char block[PAGE];
	word begun = begin();

	for (int i = 0; i < 2000; i++) {
		long fd = SC4(__NR_openat, AT_FDCWD, self, O_RDONLY, 0);

		if (fd < 0)
			leave(10);
		SC3(__NR_read, fd, block, sizeof(block));
		SC1(__NR_close, fd);
	}
	return now_ns() - begun;
}

/* Connections over loopback, to a port that the kernel chose: on the host others may be taken. */
static word work_network(const char *self)
{
	const int rounds = 500;
	long listener = listen_here(0), child;
	struct address a = loopback(1, 0);
	int size = sizeof(a);
	word begun;

	if (SC3(__NR_getsockname, listener, &a, &size) < 0)
		leave(6);
	begun = begin();
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < rounds; i++)
			if (!ask(big_endian(a.port, 2)))
				leave(7);
		leave(0);
	}
	for (int i = 0; i < rounds; i++)
		serve_one(listener);
	if (reap(child) != 0)
		leave(7);
	return now_ns() - begun;
}

static void say_number(word v)
{
	char text[32], *p = text + sizeof(text);

	*--p = '\n';
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	SC3(__NR_write, 1, p, (word)(text + sizeof(text) - p));
}

static void work(const char *self, const char *kind)
{
	static const struct {
		const char *name;
		word (*run)(const char *self);
	} kinds[] = {
		{ "cpu", work_cpu },
		{ "memory", work_memory },
		{ "faults", work_faults },
		{ "syscalls", work_syscalls },
		{ "files", work_files },
		{ "open", work_open },
		{ "network", work_network },
	};

	for (word i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		word ns;

		if (!is(kind, kinds[i].name))
			continue;
		ns = kinds[i].run(self);
		say_number(ns);
		return;
	}
	leave(2);
}

static void end_machine(void)
{
	SC4(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
}

void payload_main(word *stack);

__attribute__((used)) void payload_main(word *stack)
{
	static const char usage[] = "payload: runs inside what ringfence-bench measures\n";
	word argc = stack[0];
	char **argv = (char **)(stack + 1);
	const char *mode = argc > 1 ? argv[1] : "";

	if (is(mode, "first")) {
		say_mark();
		leave(0);
	}
	if (is(mode, "late") && argc > 2) {
		wait_usec(number(argv[2]));
		say_mark();
		leave(0);
	}
	if (is(mode, "vm-first")) {
		say_mark();
		end_machine();
	}
	if (is(mode, "idle")) {
		say_mark();
		sleep_for_ever();
	}
	if (is(mode, "nest") && argc > 3)
		nest(argv);
	if (is(mode, "web"))
		web();
	if (is(mode, "hold") && argc > 3)
		hold(number(argv[2]), number(argv[3]));
	if ((is(mode, "work") || is(mode, "vm-work")) && argc > 2) {
		work(argv[0], argv[2]);
		if (is(mode, "vm-work"))
			end_machine();
		leave(0);
	}
	SC3(__NR_write, 2, usage, length(usage));
	leave(2);
}
