/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's first serial port. */
#include "sandbox/vm_serial.h"

#include <errno.h>
#include <unistd.h>

/* Registers and bits of a 16550A, as linux/serial_reg.h has them. */
enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7 };
enum { IER_THRI = 0x02, IER_ALL = 0x0F };
enum { IIR_NONE = 0x01, IIR_THRI = 0x02, IIR_FIFO = 0xC0 };
enum { FCR_ENABLE = 0x01, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_ALL = 0x1F };
enum { LSR_EMPTY = 0x60 /* holding register and transmitter */ };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

void vm_serial_init(struct vm_serial *s, int fd, int irq_fd)
{
	*s = (struct vm_serial){ .fd = fd, .irq_fd = irq_fd, .dll = 1 };
	pthread_mutex_init(&s->lock, NULL);
}

static void flush(struct vm_serial *s)
{
	/* Whatever becomes of it: see the header. */
	if (s->fd >= 0 && s->len > 0)
		(void)!write(s->fd, s->text, s->len);
	s->len = 0;
}

static void send_byte(struct vm_serial *s, uint8_t value)
{
	s->text[s->len++] = (char)value;
	if (value == '\n' || s->len == sizeof(s->text))
		flush(s);
}

static void interrupt(const struct vm_serial *s)
{
	const uint64_t one = 1;

	if (s->irq_fd >= 0)
		(void)!write(s->irq_fd, &one, sizeof(one));
}

/* Everything is sent at once, so the only cause of an interrupt is that there is room for more. One for all
 * that is written until the driver asks for the cause. */
static void set_empty(struct vm_serial *s)
{
	if (!s->thr_empty && (s->ier & IER_THRI))
		interrupt(s);
	s->thr_empty = true;
}

static uint8_t read_iir(struct vm_serial *s)
{
	uint8_t fifo = s->fifo ? IIR_FIFO : 0;

	if (!s->thr_empty || !(s->ier & IER_THRI))
		return IIR_NONE | fifo;
	s->thr_empty = false;
	return IIR_THRI | fifo;
}

/* In a loop-back the outputs of the modem's control are its inputs: a driver's way to see that it is there.
 */
static uint8_t read_msr(const struct vm_serial *s)
{
	uint8_t v = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	if (s->mcr & MCR_DTR)
		v |= MSR_DSR;
	if (s->mcr & MCR_RTS)
		v |= MSR_CTS;
	if (s->mcr & MCR_OUT1)
		v |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		v |= MSR_DCD;
	return v;
}

static uint8_t read_locked(struct vm_serial *s, unsigned reg)
{
	bool divisor = s->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		return divisor ? s->dll : 0;
	case IER:
		return divisor ? s->dlm : s->ier;
	case IIR:
		return read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return LSR_EMPTY;
	case MSR:
		return read_msr(s);
	default:
		return s->scratch;
	}
}

static void write_ier(struct vm_serial *s, uint8_t value)
{
	bool was = s->ier & IER_THRI;

	s->ier = value & IER_ALL;
	/* Drivers change this before and after what they have to say. */
	flush(s);
	if (!was && (s->ier & IER_THRI)) {
		s->thr_empty = true;
		interrupt(s);
	}
}

static void write_locked(struct vm_serial *s, unsigned reg, uint8_t value)
{
	bool divisor = s->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		if (divisor) {
			s->dll = value;
			break;
		}
		if (!(s->mcr & MCR_LOOP))
			send_byte(s, value);
		set_empty(s);
		break;
	case IER:
		if (divisor)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case FCR:
		s->fifo = value & FCR_ENABLE;
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		s->mcr = value & MCR_ALL;
		break;
	case SCRATCH:
		s->scratch = value;
		break;
	default: /* LSR and MSR are read only */
		break;
	}
}

uint8_t vm_serial_read(struct vm_serial *s, unsigned reg)
{
	uint8_t v;

	pthread_mutex_lock(&s->lock);
	v = read_locked(s, reg);
	pthread_mutex_unlock(&s->lock);
	return v;
}

void vm_serial_write(struct vm_serial *s, unsigned reg, uint8_t value)
{
	pthread_mutex_lock(&s->lock);
	write_locked(s, reg, value);
	pthread_mutex_unlock(&s->lock);
}

void vm_serial_flush(struct vm_serial *s)
{
	pthread_mutex_lock(&s->lock);
	flush(s);
	pthread_mutex_unlock(&s->lock);
}
