/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's end of a resolver that is the host's (sandbox/dns.h). */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "sandbox/dns.h"
#include "sandbox/guest/guest.h"

#define ASKERS	   256
#define HEADER_MIN 12 /* RFC 1035, 4.1.1; the first two bytes are the number that the answer has, too */

/* Whoever asked longest ago is forgotten for the next one: he will ask again. */
static struct asker {
	struct sockaddr_in from;
	uint16_t number; /* ours: place and turn */
	uint8_t theirs[2];
	bool waits;
} askers[ASKERS];
static uint16_t next;

void guest_dns_poll(struct guest *g)
{
	/* What does not go out at once would pile up. */
	g->dns_polled = guest_poll_add(g, proto_waits(&g->port) ? -1 : g->dns, POLLIN);
}

void guest_dns_serve(struct guest *g)
{
	static uint8_t data[VM_DNS_MAX];
	int budget = 16;

	if (!guest_polled(g, g->dns_polled))
		return;
	g->dns_polled = -1;
	while (budget-- > 0 && !proto_waits(&g->port)) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(g->dns, data, sizeof(data), 0, (struct sockaddr *)&from, &size);
		struct asker *a;

		if (n < 0)
			return;
		if (n < HEADER_MIN || size != sizeof(from))
			continue;
		a = &askers[next % ASKERS];
		*a = (struct asker){
			.from = from, .number = next++, .theirs = { data[0], data[1] }, .waits = true
		};
		data[0] = (uint8_t)(a->number >> 8);
		data[1] = (uint8_t)a->number;
		guest_say(g, PROTO_DNS, 0, 0, 0, data, (size_t)n);
	}
}

void guest_dns_answer(struct guest *g, const struct proto_msg *m)
{
	static uint8_t data[VM_DNS_MAX];
	uint16_t number;
	struct asker *a;

	if (g->dns < 0 || m->len < HEADER_MIN || m->len > sizeof(data))
		return;
	number = (uint16_t)(m->data[0] << 8 | m->data[1]);
	a = &askers[number % ASKERS];
	if (!a->waits || a->number != number)
		return;
	a->waits = false;
	memcpy(data, m->data, m->len);
	memcpy(data, a->theirs, sizeof(a->theirs));
	/* He may be gone. */
	(void)!sendto(g->dns, data, m->len, 0, (struct sockaddr *)&a->from, sizeof(a->from));
}
