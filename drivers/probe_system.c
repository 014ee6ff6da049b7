/* SPDX-License-Identifier: BSD-2-Clause */
/* What does not depend on the interface, or lies in /proc: see probe.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "probe.h"

#define BPFFS_PATH	"/sys/fs/bpf"
/* Newer than the oldest headers that this is built with. */
#define ATTACH_TCX_INGRESS	46
#define LOOPBACK_IFINDEX	1

static uint32_t kernel_version(void)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return PROBE_KERNEL(major, minor);
}

/* The kernel, if we may ask it; else its version. */
static enum probe_answer tcx_ask(uint32_t kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = LOOPBACK_IFINDEX;	/* where its successor has target_ifindex */
	attr.query.attach_type = ATTACH_TCX_INGRESS;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) == 0 || errno == ENOENT)
		return PROBE_YES;
	if (errno == EINVAL)
		return PROBE_NO;
	return kernel >= PROBE_KERNEL(6, 6) ? PROBE_YES : PROBE_NO;
}

static unsigned capabilities(void)
{
	static const struct {
		unsigned number;
		enum probe_capability bit;
	} wanted[] = {
		{ CAP_NET_ADMIN, PROBE_CAP_NET_ADMIN }, { CAP_NET_RAW, PROBE_CAP_NET_RAW }, { CAP_BPF,
											     PROBE_CAP_BPF },
		{ CAP_SYS_ADMIN, PROBE_CAP_SYS_ADMIN }, { CAP_IPC_LOCK, PROBE_CAP_IPC_LOCK },
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned has = 0;

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (data[wanted[i].number / 32].effective >> wanted[i].number % 32 & 1)
			has |= wanted[i].bit;
	return has & PROBE_CAP_SYS_ADMIN ? has | PROBE_CAP_BPF : has;
}

/* The first user namespace is the one in which all ids are what they are. */
static bool in_user_namespace(void)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned long inside, outside, count;
	bool first;

	if (!f)
		return false;
	first = fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
		count == 4294967295UL;
	fclose(f);
	return !first;
}

void probe_system(struct probe *p)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	struct statfs fs;

	p->kernel = kernel_version();
	p->bpffs = statfs(BPFFS_PATH, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
	p->tcx = tcx_ask(p->kernel);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	p->rights = (struct probe_rights){
		.capabilities = capabilities(),
		.user_namespace = in_user_namespace(),
		.memlock = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur,
	};
}

/* --- interrupts --- */

/* Is word in text, with no letter or digit beside it? */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (len == 0)
		return false;
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[len]))
			return true;
	return false;
}

static void irq_cpus(struct probe_irq *irq)
{
	static const char *const files[] = { "effective_affinity_list", "smp_affinity_list" };
	char path[64];
	FILE *f;

	for (unsigned i = 0; i < 2 && irq->cpus[0] == '\0'; i++) {
		snprintf(path, sizeof(path), "/proc/irq/%u/%s", irq->number, files[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (!fgets(irq->cpus, sizeof(irq->cpus), f))
			irq->cpus[0] = '\0';
		irq->cpus[strcspn(irq->cpus, "\n")] = '\0';
		fclose(f);
	}
}

/*
 * " 38:   0  1051  PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0": the action's name is the last word.
 */
static void irq_take(struct probe *p, char *line)
{
	struct probe_irq *irq = &p->irq[p->irqs];
	char *end, *name;
	unsigned long number = strtoul(line, &end, 10);

	if (end == line || *end != ':' || p->irqs == PROBE_IRQS_MAX)
		return;
	line[strcspn(line, "\n")] = '\0';
	name = strrchr(line, ' ');
	if (!name || strstr(name, "-config"))
		return;
	name++;
	if (!has_word(name, p->link.name) && !has_word(name, p->link.device) && !has_word(name,
											  p->identity.bus))
		return;
	irq->number = (uint32_t)number;
	snprintf(irq->name, sizeof(irq->name), "%.31s", name);
	irq_cpus(irq);
	p->irqs++;
}

void probe_irqs(struct probe *p)
{
	char *line = NULL;
	size_t room = 0;
	FILE *f;

	if (p->kind != PROBE_DEVICE)
		return;
	f = fopen("/proc/interrupts", "re");
	if (!f)
		return;
	while (getline(&line, &room, f) > 0)
		irq_take(p, line);
	free(line);
	fclose(f);
}
