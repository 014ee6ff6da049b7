/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fault.h.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

#include "../engine/atomic.h"
#include "cover.h"
#include "fault.h"
#include "sys.h"

/*
 * long fault_load_asm(uint64_t addr, uint64_t *word), long fault_store_asm(uint64_t addr, uint32_t word): 0, or not 0 after a fault at fault_load_at or
 * fault_store_at, from which the handler goes on at fault_fixup. The load acquires, the store releases.
 */
#if defined(__x86_64__)
__asm__(
	".text\n"
	".p2align 4\n"
	".type fault_load_asm, @function\n"
	"fault_load_asm:\n"
	"	.cfi_startproc\n"
	"fault_load_at:\n"
	"	movq	(%rdi), %rax\n"
	"	movq	%rax, (%rsi)\n"
	"	xorl	%eax, %eax\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fault_load_asm, . - fault_load_asm\n"
	".type fault_store_asm, @function\n"
	"fault_store_asm:\n"
	"	.cfi_startproc\n"
	"fault_store_at:\n"
	"	movl	%esi, (%rdi)\n"
	"	xorl	%eax, %eax\n"
	"	ret\n"
	"fault_fixup:\n"
	"	movl	$1, %eax\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fault_store_asm, . - fault_store_asm\n");
#define CONTEXT_PC(uc)	((uc)->uc_mcontext.gregs[REG_RIP])
#elif defined(__aarch64__)
__asm__(
	".text\n"
	".p2align 4\n"
	".type fault_load_asm, @function\n"
	"fault_load_asm:\n"
	"	.cfi_startproc\n"
	"fault_load_at:\n"
	"	ldar	x2, [x0]\n"
	"	str	x2, [x1]\n"
	"	mov	x0, #0\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fault_load_asm, . - fault_load_asm\n"
	".type fault_store_asm, @function\n"
	"fault_store_asm:\n"
	"	.cfi_startproc\n"
	"fault_store_at:\n"
	"	stlr	w1, [x0]\n"
	"	mov	x0, #0\n"
	"	ret\n"
	"fault_fixup:\n"
	"	mov	x0, #1\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fault_store_asm, . - fault_store_asm\n");
#define CONTEXT_PC(uc)	((uc)->uc_mcontext.pc)
#else
#error "accesses that may fault are not written for this architecture"
#endif

long fault_load_asm(uint64_t addr, uint64_t *word);
long fault_store_asm(uint64_t addr, uint32_t word);
extern const char fault_load_at[], fault_store_at[], fault_fixup[];

#ifdef ENGINE_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define saw_acquire(addr)	__tsan_acquire((void *)(uintptr_t)(addr))
#define saw_release(addr)	__tsan_release((void *)(uintptr_t)(addr))
#else
#define saw_acquire(addr)	((void)0)
#define saw_release(addr)	((void)0)
#endif

int
fault_load(uint64_t addr, uint64_t *word)
{
	if (fault_load_asm(addr, word) != 0)
		return -EFAULT;
	saw_acquire(addr);
	return 0;
}

int
fault_store(uint64_t addr, uint32_t word)
{
	saw_release(addr);
	return fault_store_asm(addr, word) == 0 ? 0 : -EFAULT;
}

/* --- the handler --- */

static const int signals[2] = { SIGSEGV, SIGBUS };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned guards;				/* under the lock, as are changes of the next */
static struct sigaction before[2];		/* what the signals did before; never forgotten: others may have kept our handler */
static uint32_t ready;				/* bits: before[i] is there */
/* The signal that this thread handed on last: its context, and where our handler stood on the stack. */
static __thread struct {
	const void *context, *frame;
} handed __attribute__((tls_model("initial-exec")));

/* As if there had been no handler: the access is repeated, or the signal sent again, and what happens then is the default. */
static void
default_act(int sig, const siginfo_t *info)
{
	signal(sig, SIG_DFL);
	if (info->si_code <= 0)
		raise(sig);
}

static void __attribute__((noinline))
hand_on(int sig, siginfo_t *info, void *context, const struct sigaction *to)
{
	const char *frame = __builtin_frame_address(0);
	/*
	 * The same signal again, further down the stack: the handler that we hand on to hands on to us. (It may also have left by a jump: then a later signal
	 * may have its context in the same place, and this frame is where it was.)
	 */
	bool around = context == handed.context && frame < (const char *)handed.frame;

	if (to->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (around || to->sa_handler == SIG_DFL || to->sa_handler == SIG_IGN) {
		default_act(sig, info);
		return;
	}
	handed.context = context;
	handed.frame = frame;
	if ((to->sa_flags & SA_SIGINFO) != 0)
		to->sa_sigaction(sig, info, context);
	else
		to->sa_handler(sig);
}

static void
fault_handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)CONTEXT_PC(uc);

	if (pc == (uintptr_t)fault_load_at || pc == (uintptr_t)fault_store_at) {
		CONTEXT_PC(uc) = (__typeof__(CONTEXT_PC(uc)))(uintptr_t)fault_fixup;
		return;
	}
	/* From the kernel, about an access. */
	if (sig == SIGBUS && info->si_code > 0 && cover_fault((uintptr_t)info->si_addr))
		return;
	if ((load_acquire(&ready) >> (sig == SIGBUS) & 1) != 0)
		hand_on(sig, info, context, &before[sig == SIGBUS]);
}

static bool
is_ours(const struct sigaction *sa)
{
	return (sa->sa_flags & SA_SIGINFO) != 0 && sa->sa_sigaction == fault_handler;
}

static int
handler_install(unsigned i)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART }, old;

	sa.sa_sigaction = fault_handler;
	sigemptyset(&sa.sa_mask);
	if (sigaction(signals[i], NULL, &old) != 0)
		return -errno;
	if (is_ours(&old))
		return 0;
	before[i] = old;
	/* Our handler, which may run at once, sees it. */
	atomic_or(&ready, 1u << i);
	return sigaction(signals[i], &sa, NULL) == 0 ? 0 : -errno;
}

static void
handler_remove(unsigned i)
{
	struct sigaction now;

	/* Somebody who came after us goes when he likes. */
	if (sigaction(signals[i], NULL, &now) == 0 && is_ours(&now))
		sigaction(signals[i], &before[i], NULL);
}

static uint64_t
signal_bits(void)
{
	return UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1);
}

int
fault_hold(void)
{
	int err;

	pthread_mutex_lock(&lock);
	err = handler_install(0);
	if (err == 0)
		err = handler_install(1);
	if (err == 0)
		guards++;
	else if (guards == 0)
		handler_remove(0);
	pthread_mutex_unlock(&lock);
	return err;
}

void
fault_drop(void)
{
	pthread_mutex_lock(&lock);
	if (--guards == 0) {
		handler_remove(0);
		handler_remove(1);
	}
	pthread_mutex_unlock(&lock);
}

int
fault_guard_begin(struct fault_guard *g)
{
	uint64_t bits = signal_bits();
	int err = fault_hold();

	/* A fault whose signal is blocked ends the process at once. */
	if (err == 0)
		sys_sigmask(SIG_UNBLOCK, &bits, &g->mask);
	return err;
}

void
fault_guard_end(const struct fault_guard *g)
{
	uint64_t again = g->mask & signal_bits();

	sys_sigmask(SIG_BLOCK, &again, NULL);
	fault_drop();
}
