# SPDX-License-Identifier: Apache-2.0
# seccomp-profile.data to a table in C. Stops at what it does not understand, and at a name that is decided twice.

function die(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text >"/dev/stderr"
	failed = 1
	exit 1
}

# A set of capabilities as a C expression.
function caps(list, names, n, i, out) {
	n = split(list, names, ",")
	out = "0"
	for (i = 1; i <= n; i++) {
		if (names[i] !~ /^[A-Z_]+$/)
			die("\"" names[i] "\" is no capability")
		out = out " | B(CAP_" names[i] ")"
	}
	return out
}

function decide(name, again) {
	if (name !~ /^[a-z_][a-z0-9_]*$/)
		die("\"" name "\" is no name of a system call")
	if (name in seen && !(again && seen[name] == again))
		die(name " is decided twice")
	seen[name] = again ? again : "once"
}

function entry(name, verdict, set, rest) {
	printf "\t{ \"%s\", %s, %s, %s, %s },\n", name, verdict, newer, set, rest ? rest : "0, NULL, 0, 0"
}

BEGIN {
	print "/* Made of seccomp-profile.data. */"
}
{ sub(/#.*/, "") }
NF == 0 { next }
{
	newer = "false"
	if ($1 == "newer") {
		newer = "true"
		sub(/^[ \t]*newer[ \t]+/, "")
	}
}
$1 == "allow" || $1 == "deny" {
	for (i = 2; i <= NF; i++) {
		decide($i)
		entry($i, $1 == "allow" ? "SECCOMP_PROFILE_ALLOW" : "SECCOMP_PROFILE_DENY", "0")
	}
	next
}
$1 == "cap" && NF > 2 {
	set = caps($2)
	for (i = 3; i <= NF; i++) {
		decide($i)
		entry($i, "SECCOMP_PROFILE_CAP", set)
	}
	next
}
$1 == "enosys" && (NF == 2 || (NF == 4 && $3 == "unless")) {
	decide($2)
	entry($2, "SECCOMP_PROFILE_ENOSYS", NF == 4 ? caps($4) : "0")
	next
}
$1 == "when" {
	n = NF
	set = "0"
	if (n > 2 && $(n - 1) == "unless") {
		set = caps($n)
		n -= 2
	}
	if (n < 5 || n > 6 || $3 !~ /^[0-5]$/ || $4 !~ /^[A-Z_]+$/)
		die("must be: when NAME INDEX OP VALUE [VALUE2] [unless CAP]")
	for (i = 5; i <= n; i++)
		if ($i !~ /^(0x[0-9a-f]+|[0-9]+)$/)
			die("\"" $i "\" is no number")
	decide($2, "when")
	entry($2, "SECCOMP_PROFILE_WHEN", set, $3 ", \"SCMP_CMP_" $4 "\", " $5 ", " (n == 6 ? $6 : 0))
	next
}
{ die("\"" $1 "\" is not understood") }
END { exit failed }
