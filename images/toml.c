/* SPDX-License-Identifier: Apache-2.0 */
/* TOML to a tree (see toml.h). Written from the text of TOML 1.0; section names below are its own. */
#include "images/toml.h"

#include "base/str.h"

#define DEPTH_MAX   32
#define MEMBERS_MAX 16384 /* of the whole document: members are looked up one by one */

struct reader {
	struct arena *a;
	const char *what, *at, *end; /* the text has a NUL behind it, and none in it */
	int line, depth;
	size_t members;
	struct err *e;
};

static int fault(struct reader *t, const char *why)
{
	return err_text(t->e, EINVAL, "%s: line %d: %s", t->what, t->line, why);
}

static int no_memory(struct reader *t)
{
	return err_set(t->e, ENOMEM, "%s", t->what);
}

/* --- white space -------------------------------------------------------------------------------- */

static void skip_blanks(struct reader *t)
{
	t->at += strspn(t->at, " \t");
}

static bool at_newline(const struct reader *t)
{
	return t->at[0] == '\n' || (t->at[0] == '\r' && t->at[1] == '\n');
}

static void take_newline(struct reader *t)
{
	t->at += *t->at == '\r' ? 2 : 1;
	t->line++;
}

/* Control characters other than tab are not allowed anywhere, comments included. */
static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

static int skip_comment(struct reader *t)
{
	if (*t->at != '#')
		return 0;
	while (t->at < t->end && !at_newline(t)) {
		if (is_control(*t->at))
			return fault(t, "a control character in a comment");
		t->at++;
	}
	return 0;
}

/* Blanks, newlines and comments: between statements, and in arrays. */
static int skip_lines(struct reader *t)
{
	for (;;) {
		int r;

		skip_blanks(t);
		r = skip_comment(t);
		if (r < 0)
			return r;
		if (!at_newline(t))
			return 0;
		take_newline(t);
	}
}

static int end_of_line(struct reader *t)
{
	int r;

	skip_blanks(t);
	r = skip_comment(t);
	if (r < 0)
		return r;
	if (t->at == t->end)
		return 0;
	if (!at_newline(t))
		return fault(t, "something follows where the line should end");
	take_newline(t);
	return 0;
}

/* --- strings ------------------------------------------------------------------------------------ */

static void add_utf8(struct strbuf *b, uint32_t c)
{
	char s[4];

	if (c < 0x80) {
		s[0] = (char)c;
		strbuf_add(b, s, 1);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		strbuf_add(b, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		strbuf_add(b, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		strbuf_add(b, s, 4);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_unicode(struct reader *t, int digits, struct strbuf *b)
{
	uint32_t c = 0;

	for (int i = 0; i < digits; i++) {
		int d = hex_digit(t->at[i]);

		if (d < 0)
			return fault(t, "\\u needs 4 hexadecimal digits, and \\U 8");
		c = c << 4 | (uint32_t)d;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return fault(t, "\\u or \\U with a number that is no character");
	t->at += digits;
	add_utf8(b, c);
	return 0;
}

/* Behind a backslash. */
static int read_escape(struct reader *t, bool multi, struct strbuf *b)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *p, *c = t->at;

	/* "Line ending backslash": it and all white space up to the next text go. */
	if (multi) {
		skip_blanks(t);
		if (at_newline(t)) {
			while (at_newline(t)) {
				take_newline(t);
				skip_blanks(t);
			}
			return 0;
		}
		t->at = c;
	}
	if (*c == 'u' || *c == 'U') {
		t->at++;
		return read_unicode(t, *c == 'u' ? 4 : 8, b);
	}
	p = *c ? strchr(from, *c) : NULL;
	if (!p)
		return fault(t, "an escape that TOML does not have");
	t->at++;
	strbuf_add(b, &to[p - from], 1);
	return 0;
}

/* At the quotes of a multi-line string's end: up to two of the five belong to the text. */
static bool ends_multi(struct reader *t, char quote, struct strbuf *b)
{
	size_t n = 0;

	while (t->at[n] == quote && n < 5)
		n++;
	for (size_t i = n >= 3 ? 3 : 0; i < n; i++)
		strbuf_add(b, &quote, 1);
	t->at += n;
	return n >= 3;
}

static int read_chars(struct reader *t, char quote, bool multi, struct strbuf *b)
{
	for (;;) {
		size_t n;
		int r;

		if (t->at == t->end)
			return fault(t, "a string without an end");
		if (*t->at == quote) {
			if (multi) {
				if (ends_multi(t, quote, b))
					return 0;
				continue;
			}
			t->at++;
			return 0;
		}
		if (at_newline(t)) {
			if (!multi)
				return fault(t, "a string without an end");
			take_newline(t);
			strbuf_puts(b, "\n");
			continue;
		}
		if (*t->at == '\\' && quote == '"') {
			t->at++;
			r = read_escape(t, multi, b);
			if (r < 0)
				return r;
			continue;
		}
		n = str_utf8_len((const unsigned char *)t->at, (size_t)(t->end - t->at));
		if (n == 0 || is_control(*t->at))
			return fault(t, n ? "a control character in a string" : "a string that is no UTF-8");
		strbuf_add(b, t->at, n);
		t->at += n;
	}
}

static int read_string(struct reader *t, bool is_key, const char **out)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char quote = *t->at;
	bool multi = t->at[1] == quote && t->at[2] == quote;
	char *copy;
	int r;

	if (multi && is_key)
		return fault(t, "a key cannot be a multi-line string");
	t->at += multi ? 3 : 1;
	if (multi && at_newline(t))
		take_newline(t);
	r = read_chars(t, quote, multi, &b);
	if (r < 0)
		return r;
	copy = b.failed ? NULL : arena_strndup(t->a, b.s ? b.s : "", b.len);
	if (!copy)
		return no_memory(t);
	*out = copy;
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------- */

static struct toml *find(const struct toml *table, const char *key)
{
	struct toml *m;

	toml_each (m, table)
		if (str_eq(m->key, key))
			return m;
	return NULL;
}

static struct toml *add(struct reader *t, struct toml *parent, const char *key, enum toml_type type)
{
	struct toml *m = ++t->members > MEMBERS_MAX ? NULL : arena_calloc(t->a, 1, sizeof(*m));

	if (!m)
		return NULL;
	m->type = type;
	m->key = key;
	m->line = t->line;
	if (parent->last)
		parent->last->next = m;
	else
		parent->first = m;
	parent->last = m;
	parent->count++;
	return m;
}

static int add_failed(struct reader *t)
{
	return t->members > MEMBERS_MAX ? fault(t, "too many values") : no_memory(t);
}

static int read_simple_key(struct reader *t, const char **out)
{
	size_t n;

	skip_blanks(t);
	if (*t->at == '"' || *t->at == '\'')
		return read_string(t, true, out);
	n = strspn(t->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	if (n == 0)
		return fault(t, "a key is missing");
	*out = arena_strndup(t->a, t->at, n);
	t->at += n;
	return *out ? 0 : no_memory(t);
}

/* A table that stands for one component of a header: of an array of tables the last one. */
static int enter(struct reader *t, struct toml **table, const char *key)
{
	struct toml *m = find(*table, key);

	if (!m) {
		m = add(t, *table, key, TOML_TABLE);
		if (!m)
			return add_failed(t);
	} else if (m->type == TOML_ARRAY && m->tables) {
		m = m->last;
	} else if (m->type != TOML_TABLE || m->closed) {
		return err_text(t->e, EINVAL, "%s: line %d: \"%.80s\" is a value already (line %d)", t->what,
			t->line, key, m->line);
	}
	*table = m;
	return 0;
}

static int defined_twice(struct reader *t, const char *key, int line)
{
	return err_text(t->e, EINVAL, "%s: line %d: \"%.80s\" was there already (line %d)", t->what, t->line,
		key, line);
}

/* "[a.b]" */
static int open_table(struct reader *t, struct toml **table, const char *key)
{
	struct toml *old = find(*table, key);
	int r;

	if (old && (old->type != TOML_TABLE || old->headed || old->dotted || old->closed))
		return defined_twice(t, key, old->line);
	r = enter(t, table, key);
	if (r == 0)
		(*table)->headed = true;
	return r;
}

/* "[[a.b]]" */
static int open_element(struct reader *t, struct toml **table, const char *key)
{
	struct toml *list = find(*table, key), *m;

	if (list && (list->type != TOML_ARRAY || !list->tables))
		return defined_twice(t, key, list->line);
	if (!list) {
		list = add(t, *table, key, TOML_ARRAY);
		if (!list)
			return add_failed(t);
		list->tables = true;
	}
	m = add(t, list, NULL, TOML_TABLE);
	if (!m)
		return add_failed(t);
	m->headed = true;
	*table = m;
	return 0;
}

static int read_header(struct reader *t, struct toml *root, struct toml **current)
{
	bool element = t->at[1] == '[';
	struct toml *table = root;

	t->at += element ? 2 : 1;
	for (int depth = 0;; depth++) {
		const char *key;
		int r = read_simple_key(t, &key);

		if (r < 0)
			return r;
		if (depth == DEPTH_MAX)
			return fault(t, "nested too deep");
		skip_blanks(t);
		if (*t->at == '.') {
			t->at++;
			r = enter(t, &table, key);
			if (r < 0)
				return r;
			continue;
		}
		if (t->at[0] != ']' || (element && t->at[1] != ']'))
			return fault(t, element ? "\"]]\" is missing" : "\"]\" is missing");
		t->at += element ? 2 : 1;
		r = element ? open_element(t, &table, key) : open_table(t, &table, key);
		if (r < 0)
			return r;
		*current = table;
		return 0;
	}
}

/* --- values ------------------------------------------------------------------------------------- */

static int read_value(struct reader *t, struct toml *v);
static int read_pair(struct reader *t, struct toml *table);

static int read_array(struct reader *t, struct toml *v)
{
	v->type = TOML_ARRAY;
	t->at++;
	for (;;) {
		struct toml *m;
		int r = skip_lines(t);

		if (r < 0)
			return r;
		if (*t->at == ']')
			break;
		m = add(t, v, NULL, TOML_STRING);
		if (!m)
			return add_failed(t);
		r = read_value(t, m);
		if (r == 0)
			r = skip_lines(t);
		if (r < 0)
			return r;
		if (*t->at == ']')
			break;
		if (*t->at != ',')
			return fault(t, "\",\" or \"]\" is missing in an array");
		t->at++;
	}
	t->at++;
	return 0;
}

static void close_tables(struct toml *table)
{
	struct toml *m;

	table->closed = true;
	toml_each (m, table)
		if (m->type == TOML_TABLE && !m->closed)
			close_tables(m);
}

static int read_inline_table(struct reader *t, struct toml *v)
{
	v->type = TOML_TABLE;
	t->at++;
	skip_blanks(t);
	for (bool first = true; *t->at != '}' || !first; first = false) {
		int r = read_pair(t, v);

		if (r < 0)
			return r;
		skip_blanks(t);
		if (*t->at == '}')
			break;
		if (*t->at != ',')
			return fault(t, "\",\" or \"}\" is missing in an inline table");
		t->at++;
	}
	t->at++;
	close_tables(v);
	return 0;
}

/* Whatever else begins like a value: true, false, integers; and what we do not read. */
static int read_word(struct reader *t, struct toml *v)
{
	size_t n = strcspn(t->at, " \t\r\n,]}#"), used = 0;
	char word[64], digits[64];

	if (n == 0)
		return fault(t, "a value is missing");
	if (n >= sizeof(word))
		return fault(t, "a value that is neither string, array, table, boolean nor integer");
	memcpy(word, t->at, n);
	word[n] = '\0';
	t->at += n;
	if (str_eq(word, "true") || str_eq(word, "false")) {
		v->type = TOML_BOOL;
		v->boolean = word[0] == 't';
		return 0;
	}
	/* "Integer": a sign, digits, and an underscore between two digits; no zeros in front. */
	for (size_t i = 0; i < n; i++) {
		bool between = i > 0 && word[i - 1] >= '0' && word[i - 1] <= '9' && word[i + 1] >= '0' &&
			       word[i + 1] <= '9';

		if (!(word[i] == '_' && between) && !(word[i] == '+' && i == 0))
			digits[used++] = word[i];
	}
	digits[used] = '\0';
	n = digits[0] == '-';
	if ((word[0] == '+' && digits[0] == '-') || (digits[n] == '0' && digits[n + 1]) ||
		str_to_i64(digits, &v->integer) < 0)
		return fault(t,
			"a value that is neither string, array, table, boolean nor decimal integer of 64 "
			"bits (floats and dates have no use here)");
	v->type = TOML_INTEGER;
	return 0;
}

static int read_value(struct reader *t, struct toml *v)
{
	int r;

	skip_blanks(t);
	v->line = t->line;
	if (++t->depth > DEPTH_MAX)
		return fault(t, "nested too deep");
	switch (*t->at) {
	case '"':
	case '\'':
		v->type = TOML_STRING;
		r = read_string(t, false, &v->text);
		break;
	case '[':
		r = read_array(t, v);
		break;
	case '{':
		r = read_inline_table(t, v);
		break;
	default:
		r = read_word(t, v);
	}
	t->depth--;
	return r;
}

/* The table that a dotted key goes through: made by such a key, or newly. */
static int enter_dotted(struct reader *t, struct toml **table, const char *key)
{
	struct toml *m = find(*table, key);

	if (m && (m->type != TOML_TABLE || m->closed || m->headed))
		return defined_twice(t, key, m->line);
	if (!m) {
		m = add(t, *table, key, TOML_TABLE);
		if (!m)
			return add_failed(t);
		m->dotted = true;
	}
	*table = m;
	return 0;
}

static int read_pair(struct reader *t, struct toml *table)
{
	const struct toml *old;
	const char *key;
	struct toml *v;
	int r;

	for (int depth = 0;; depth++) {
		r = read_simple_key(t, &key);
		if (r < 0)
			return r;
		skip_blanks(t);
		if (*t->at != '.')
			break;
		t->at++;
		r = depth == DEPTH_MAX ? fault(t, "nested too deep") : enter_dotted(t, &table, key);
		if (r < 0)
			return r;
	}
	if (*t->at != '=')
		return fault(t, "\"=\" is missing");
	t->at++;
	old = find(table, key);
	if (old)
		return defined_twice(t, key, old->line);
	v = add(t, table, key, TOML_STRING);
	return v ? read_value(t, v) : add_failed(t);
}

/* --- the whole ---------------------------------------------------------------------------------- */

int toml_parse(struct arena *a, const char *text, size_t len, const char *what, const struct toml **out,
	struct err *e)
{
	struct reader t = { .a = a, .what = what, .line = 1, .e = e };
	struct toml *root = arena_calloc(a, 1, sizeof(*root)), *current = root;
	char *copy = arena_strndup(a, text, len);
	int r;

	if (!root || !copy)
		return no_memory(&t);
	root->type = TOML_TABLE;
	t.at = copy;
	t.end = copy + strlen(copy);
	if ((size_t)(t.end - t.at) < len) {
		for (const char *p = t.at; p < t.end; p++)
			t.line += *p == '\n';
		return fault(&t, "a NUL character");
	}
	if (str_starts(t.at, "\xef\xbb\xbf"))
		t.at += 3;
	for (;;) {
		r = skip_lines(&t);
		if (r < 0 || t.at == t.end)
			break;
		if (*t.at == '[')
			r = read_header(&t, root, &current);
		else
			r = read_pair(&t, current);
		if (r == 0)
			r = end_of_line(&t);
		if (r < 0)
			break;
	}
	if (r == 0)
		*out = root;
	return r;
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
	return table && table->type == TOML_TABLE ? find(table, key) : NULL;
}

static const char *const type_names[] = { "a string", "an integer", "true or false", "an array", "a table" };

static int wrong_type(const struct toml *v, const char *what, enum toml_type want, struct err *e)
{
	return err_text(e, EINVAL, "%s: line %d: \"%.80s\" must be %s, not %s", what, v->line,
		v->key ? v->key : "", type_names[want], type_names[v->type]);
}

int toml_get_string(
	const struct toml *table, const char *key, const char *what, const char **out, struct err *e)
{
	const struct toml *v = toml_get(table, key);

	if (!v)
		return 0;
	if (v->type != TOML_STRING)
		return wrong_type(v, what, TOML_STRING, e);
	*out = v->text;
	return 0;
}

int toml_get_bool(const struct toml *table, const char *key, const char *what, bool *out, struct err *e)
{
	const struct toml *v = toml_get(table, key);

	if (!v)
		return 0;
	if (v->type != TOML_BOOL)
		return wrong_type(v, what, TOML_BOOL, e);
	*out = v->boolean;
	return 0;
}

int toml_get_list(const struct toml *table, const char *key, const char *what, enum toml_type type,
	const struct toml **out, struct err *e)
{
	const struct toml *v = toml_get(table, key);

	if (!v)
		return 0;
	if (v->type != type)
		return wrong_type(v, what, type, e);
	*out = v;
	return 0;
}
