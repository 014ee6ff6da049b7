/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies from and to memory of this process that may not be there: what a program passed as a pointer.
 * Each returns 0, or -EFAULT if not all n bytes are accessible (then part of them may have been copied).
 * Safe in signal handlers.
 */
#ifndef HOST_COPY_H
#define HOST_COPY_H

#include <stddef.h>
#include <stdint.h>

int host_copy_in(void *dst, uint64_t src, size_t n);
int host_copy_out(uint64_t dst, const void *src, size_t n);

/* What the above fall back to where process_vm_readv is not allowed: through a pipe. For tests. */
int host_copy_by_pipe(uint64_t dst, uint64_t src, size_t n);

#endif /* HOST_COPY_H */
