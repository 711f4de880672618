/* SPDX-License-Identifier: Apache-2.0 */
/* Printing, and formats (see print.h). */
#include "cli/print.h"

#include "base/fd.h"
#include "base/str.h"

int cli_print(const char *text, size_t len, struct err *e)
{
	int r = fd_write_all(STDOUT_FILENO, text, len);

	return r < 0 ? err_set(e, r, "write to standard output") : 0;
}

int cli_print_json(struct json_writer *w, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *text = json_writer_text(w, NULL);

	if (text)
		strbuf_printf(&b, "%s\n", text);
	if (!text || b.failed)
		return err_set(e, ENOMEM, "write JSON");
	return cli_print(b.s, b.len, e);
}

int cli_format_is_json(const char *format, const char *plain, struct err *e)
{
	if (!format || str_eq(format, plain))
		return 0;
	if (str_eq(format, "json"))
		return 1;
	return err_text(e, EINVAL, "option --format must be %s or json, not \"%s\"", plain, format);
}
