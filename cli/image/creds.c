/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for user names and passwords (see creds.h). */
#include "cli/image/creds.h"

#include <string.h>
#include <termios.h>

#include "base/fd.h"
#include "base/str.h"

#define LINE_MAX_LEN 4096

/*
 * Byte by byte, since the terminal does no editing then: neither an echo, nor a signal that would end us and
 * leave it without an echo. The length, or -EINTR.
 */
static ssize_t read_silently(char *buf, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t r = read(STDIN_FILENO, &c, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0 || c == '\n' || c == '\r' || (c == CTRL('D') && n == 0))
			break;
		if (c == CTRL('C') || c == CTRL('\\'))
			return -EINTR;
		if (c == 0x7f || c == '\b')
			n -= n > 0;
		else if (c == CTRL('U'))
			n = 0;
		else if (n + 1 < size)
			buf[n++] = c;
		else
			return -E2BIG;
	}
	buf[n] = '\0';
	return (ssize_t)n;
}

static ssize_t read_line(char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	buf[n] = '\0';
	return n;
}

int creds_ask(struct arena *a, const char *prompt, bool echo, const char **out, struct err *e)
{
	struct termios before, silent;
	char buf[LINE_MAX_LEN];
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_text(e, EINVAL, "no terminal to ask for the %s on", prompt);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	silent.c_cc[VMIN] = 1;
	silent.c_cc[VTIME] = 0;
	/* Before the prompt: whoever answers that at once must not be echoed. */
	if (!echo && tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
		return err_set(e, errno, "turn off the terminal's echo");
	(void)fd_write_all(STDERR_FILENO, prompt, strlen(prompt));
	(void)fd_write_all(STDERR_FILENO, ": ", 2);
	if (echo) {
		n = read_line(buf, sizeof(buf));
	} else {
		n = read_silently(buf, sizeof(buf));
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		(void)fd_write_all(STDERR_FILENO, "\n", 1);
	}
	if (n > 0)
		*out = arena_strndup(a, buf, (size_t)n);
	explicit_bzero(buf, sizeof(buf));
	if (n == -EINTR)
		return err_text(e, EINTR, "%s: interrupted", prompt);
	if (n < 0)
		return err_set(e, (int)n, "read %s", prompt);
	if (n == 0)
		return err_text(e, EINVAL, "%s: nothing was given", prompt);
	return *out ? 0 : err_set(e, ENOMEM, "%s", prompt);
}

int creds_read(struct arena *a, const char **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd_read_all(STDIN_FILENO, LINE_MAX_LEN, &text, &len);

	if (r < 0)
		return err_set(e, r, "read the password from standard input");
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (!len)
		return err_text(e, EINVAL, "there is no password on standard input");
	if (memchr(text, '\0', len) || memchr(text, '\n', len))
		return err_text(e, EINVAL, "the password on standard input has more than one line");
	*out = arena_strndup(a, text, len);
	explicit_bzero(text, len);
	return *out ? 0 : err_set(e, ENOMEM, "password");
}

int creds_parse(struct arena *a, const char *text, const char **user, const char **password, struct err *e)
{
	const char *colon = strchr(text, ':');

	if (colon == text || !*text)
		return err_text(e, EINVAL, "option --creds must be USER:PASSWORD");
	*user = arena_strndup(a, text, colon ? (size_t)(colon - text) : strlen(text));
	if (!*user)
		return err_set(e, ENOMEM, "credentials");
	if (!colon)
		return creds_ask(a, "Password", false, password, e) < 0
			       ? err_wrap(e, "option --creds without a password")
			       : 0;
	*password = colon + 1;
	return 0;
}
