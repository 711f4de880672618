/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's first serial port: a 16550A without a line in. It is for panics and for looking at a boot;
 * each byte is an exit of a vCPU.
 *
 * What the guest writes is gathered until a newline or a pause and then written to a descriptor at once.
 * Nobody waits for that: what the descriptor does not take is lost, so a guest can neither fill the monitor's
 * memory nor hold one of its threads.
 */
#ifndef SANDBOX_VM_SERIAL_H
#define SANDBOX_VM_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define VM_SERIAL_PORT 0x3f8
#define VM_SERIAL_LAST 0x3ff

struct vm_serial {
	pthread_mutex_t lock;
	int fd;	    /* where to, -1: nowhere; not closed here */
	int irq_fd; /* an eventfd that raises the port's interrupt, -1: none */
	uint8_t ier, lcr, mcr, scratch, dll, dlm;
	bool fifo, thr_empty; /* thr_empty: an interrupt for that is due */
	uint8_t len;
	char text[128];
};

void vm_serial_init(struct vm_serial *s, int fd, int irq_fd);
/* reg: 0..7 */
uint8_t vm_serial_read(struct vm_serial *s, unsigned reg);
void vm_serial_write(struct vm_serial *s, unsigned reg, uint8_t value);
void vm_serial_flush(struct vm_serial *s);

#endif
