/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of a port: external memory and packet offsets, which become nmreq_options of the REGISTER request,
 * and the options of portspecs (share, conf, extmem, offset) that the parser hands to the functions here.
 *
 * Each nmreq_option lives in a clean-up record of its port, so that nmport_undo_parse() takes it out and
 * frees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nmport_internal.h"

static void
cleanup_push(struct nmport_d *d, struct nmport_cleanup_d *c,
	void (*cleanup)(struct nmport_cleanup_d *, struct nmport_d *))
{
	c->cleanup = cleanup;
	c->next = d->clist;
	d->clist = c;
}

/* ---- External memory ---- */

struct extmem_cleanup {
	struct nmport_cleanup_d	up;	/* must be first */
	struct nmreq_opt_extmem	opt;
};

void
nmport_extmem_cleanup(struct nmport_cleanup_d *c, struct nmport_d *d)
{
	struct extmem_cleanup *e = (struct extmem_cleanup *)c;

	nmreq_remove_option(&d->hdr, &e->opt.nro_opt);
	d->extmem = NULL;
	nmctx_free(d->ctx, e);
}

int
nmport_extmem(struct nmport_d *d, void *base, size_t size)
{
	struct extmem_cleanup *e;

	if (d->register_done || d->extmem != NULL) {
		nmctx_ferror(d->ctx, "cannot set external memory: the port %s",
			d->register_done ? "is registered already" : "has some already");
		errno = EINVAL;
		return -1;
	}
	e = nmctx_malloc(d->ctx, sizeof(*e));
	if (e == NULL) {
		nmctx_ferror(d->ctx, "out of memory for the extmem option");
		return -1;
	}
	memset(e, 0, sizeof(*e));
	e->opt.nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM;
	e->opt.nro_usrptr = (uintptr_t)base;
	e->opt.nro_info.nr_memsize = size;
	d->extmem = &e->opt;
	nmreq_push_option(&d->hdr, &e->opt.nro_opt);
	cleanup_push(d, &e->up, nmport_extmem_cleanup);
	return 0;
}

struct file_cleanup {
	struct nmport_cleanup_d	up;	/* must be first */
	void			*base;
	size_t			size;
};

/*
 * Other ports of the context may still use the mapping, because they have registered in the same region. The
 * last one of them then unmaps it.
 */
void
nmport_extmem_from_file_cleanup(struct nmport_cleanup_d *c, struct nmport_d *d)
{
	struct file_cleanup *f = (struct file_cleanup *)c;
	struct nmem_d *m;

	nmctx_lock(d->ctx);
	for (m = d->ctx->mem_descs; m != NULL; m = m->next) {
		if (m->is_extmem && m->mem == f->base) {
			m->is_extmem = 0;
			m->size = f->size;
			break;
		}
	}
	nmctx_unlock(d->ctx);
	if (m == NULL)
		munmap(f->base, f->size);
	nmctx_free(d->ctx, f);
}

/* Maps all of a file; the caller unmaps it. Returns MAP_FAILED, with a report, if that is not possible. */
static void *
file_map(struct nmctx *ctx, const char *fname, size_t *size)
{
	void *base = MAP_FAILED;
	int fd, saved;
	off_t len;

	fd = open(fname, O_RDWR);
	if (fd < 0) {
		nmctx_ferror(ctx, "cannot open %s: %s", fname, strerror(errno));
		return MAP_FAILED;
	}
	len = lseek(fd, 0, SEEK_END);
	if (len >= 0)
		base = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		nmctx_ferror(ctx, "cannot map %s (%lld bytes): %s", fname, (long long)len, strerror(errno));
	saved = errno;
	close(fd);
	errno = saved;
	*size = (size_t)len;
	return base;
}

int
nmport_extmem_from_file(struct nmport_d *d, const char *fname)
{
	struct file_cleanup *f;
	int saved;

	f = nmctx_malloc(d->ctx, sizeof(*f));
	if (f == NULL) {
		nmctx_ferror(d->ctx, "out of memory for the extmem option");
		return -1;
	}
	f->base = file_map(d->ctx, fname, &f->size);
	if (f->base == MAP_FAILED)
		goto err_free;
	if (nmport_extmem(d, f->base, f->size) < 0)
		goto err_unmap;
	cleanup_push(d, &f->up, nmport_extmem_from_file_cleanup);
	return 0;

err_unmap:
	saved = errno;
	munmap(f->base, f->size);
	errno = saved;
err_free:
	saved = errno;
	nmctx_free(d->ctx, f);
	errno = saved;
	return -1;
}

struct nmreq_pools_info *
nmport_extmem_getinfo(struct nmport_d *d)
{
	return d->extmem != NULL ? &d->extmem->nro_info : NULL;
}

/* ---- Offsets ---- */

struct offset_cleanup {
	struct nmport_cleanup_d		up;	/* must be first */
	struct nmreq_opt_offsets	opt;
};

static void
offset_cleanup(struct nmport_cleanup_d *c, struct nmport_d *d)
{
	struct offset_cleanup *o = (struct offset_cleanup *)c;

	nmreq_remove_option(&d->hdr, &o->opt.nro_opt);
	nmctx_free(d->ctx, o);
}

int
nmport_offset(struct nmport_d *d, uint64_t initial, uint64_t maxoff, uint64_t bits, uint64_t mingap)
{
	struct offset_cleanup *o;

	if (bits > UINT32_MAX) {
		nmctx_ferror(d->ctx, "an offset has at most 64 bits, not %llu", (unsigned long long)bits);
		errno = EINVAL;
		return -1;
	}
	o = nmctx_malloc(d->ctx, sizeof(*o));
	if (o == NULL) {
		nmctx_ferror(d->ctx, "out of memory for the offsets option");
		return -1;
	}
	memset(o, 0, sizeof(*o));
	o->opt.nro_opt.nro_reqtype = NETMAP_REQ_OPT_OFFSETS;
	o->opt.nro_initial_offset = initial;
	o->opt.nro_max_offset = maxoff;
	o->opt.nro_offset_bits = (uint32_t)bits;
	o->opt.nro_min_gap = mingap;
	nmreq_push_option(&d->hdr, &o->opt.nro_opt);
	cleanup_push(d, &o->up, offset_cleanup);
	return 0;
}

/* ---- Options of portspecs ---- */

enum { SHARE_PORT };

static int
share_parse(struct nmreq_parse_ctx *p)
{
	struct nmport_d *d = p->token;
	const char *port = p->keys[SHARE_PORT];
	int32_t mem_id;

	mem_id = nmreq_get_mem_id(&port, p->ctx);
	if (mem_id < 0)
		return -1;
	if (*port != '\0')
		return nmreq_key_error(p, SHARE_PORT, "expected the name of a port, without mode and flags");
	if (d->reg.nr_mem_id != 0 && d->reg.nr_mem_id != mem_id)
		return nmreq_key_error(p, SHARE_PORT, "this port has another memory id than set before");
	d->reg.nr_mem_id = (uint16_t)mem_id;
	return 0;
}

enum {
	CONF_RINGS, CONF_HOST_RINGS, CONF_SLOTS,
	CONF_TX_RINGS, CONF_RX_RINGS, CONF_HOST_TX_RINGS, CONF_HOST_RX_RINGS,
	CONF_TX_SLOTS, CONF_RX_SLOTS,
};

/* Sets tx and rx from the key for both, then from their own keys. */
static int
conf_pair(struct nmreq_parse_ctx *p, int both_key, int tx_key, int rx_key, uint64_t max,
	uint64_t *tx, uint64_t *rx)
{
	if (p->keys[both_key] != NULL) {
		if (nmreq_key_number(p, both_key, max, tx) < 0)
			return -1;
		*rx = *tx;
	}
	if (nmreq_key_number(p, tx_key, max, tx) < 0)
		return -1;
	return nmreq_key_number(p, rx_key, max, rx);
}

static int
conf_parse(struct nmreq_parse_ctx *p)
{
	struct nmreq_register *reg = &((struct nmport_d *)p->token)->reg;
	uint64_t tx_rings = reg->nr_tx_rings, rx_rings = reg->nr_rx_rings;
	uint64_t host_tx_rings = reg->nr_host_tx_rings, host_rx_rings = reg->nr_host_rx_rings;
	uint64_t tx_slots = reg->nr_tx_slots, rx_slots = reg->nr_rx_slots;

	if (conf_pair(p, CONF_RINGS, CONF_TX_RINGS, CONF_RX_RINGS, UINT16_MAX, &tx_rings, &rx_rings) < 0 ||
	    conf_pair(p, CONF_HOST_RINGS, CONF_HOST_TX_RINGS, CONF_HOST_RX_RINGS, UINT16_MAX, &host_tx_rings,
		&host_rx_rings) < 0 ||
	    conf_pair(p, CONF_SLOTS, CONF_TX_SLOTS, CONF_RX_SLOTS, UINT32_MAX, &tx_slots, &rx_slots) < 0)
		return -1;
	reg->nr_tx_rings = (uint16_t)tx_rings;
	reg->nr_rx_rings = (uint16_t)rx_rings;
	reg->nr_host_tx_rings = (uint16_t)host_tx_rings;
	reg->nr_host_rx_rings = (uint16_t)host_rx_rings;
	reg->nr_tx_slots = (uint32_t)tx_slots;
	reg->nr_rx_slots = (uint32_t)rx_slots;
	return 0;
}

enum {
	EXTMEM_FILE, EXTMEM_IF_NUM, EXTMEM_IF_SIZE,
	EXTMEM_RING_NUM, EXTMEM_RING_SIZE, EXTMEM_BUF_NUM, EXTMEM_BUF_SIZE,
	EXTMEM_NR_KEYS,
};

static int
extmem_parse(struct nmreq_parse_ctx *p)
{
	struct nmport_d *d = p->token;
	uint64_t v[EXTMEM_NR_KEYS] = { 0 };
	struct nmreq_pools_info *info;
	int id;

	for (id = EXTMEM_IF_NUM; id < EXTMEM_NR_KEYS; id++) {
		if (nmreq_key_number(p, id, UINT32_MAX, &v[id]) < 0)
			return -1;
	}
	if (nmport_extmem_from_file(d, p->keys[EXTMEM_FILE]) < 0)
		return -1;
	info = nmport_extmem_getinfo(d);
	info->nr_if_pool_objtotal = (uint32_t)v[EXTMEM_IF_NUM];
	info->nr_if_pool_objsize = (uint32_t)v[EXTMEM_IF_SIZE];
	info->nr_ring_pool_objtotal = (uint32_t)v[EXTMEM_RING_NUM];
	info->nr_ring_pool_objsize = (uint32_t)v[EXTMEM_RING_SIZE];
	info->nr_buf_pool_objtotal = (uint32_t)v[EXTMEM_BUF_NUM];
	info->nr_buf_pool_objsize = (uint32_t)v[EXTMEM_BUF_SIZE];
	return 0;
}

enum { OFFSET_INITIAL, OFFSET_BITS };

static int
offset_parse(struct nmreq_parse_ctx *p)
{
	uint64_t initial = 0, bits = 0;

	if (nmreq_key_number(p, OFFSET_INITIAL, UINT32_MAX, &initial) < 0 ||
	    nmreq_key_number(p, OFFSET_BITS, 64, &bits) < 0)
		return -1;
	return nmport_offset(p->token, initial, initial, bits, 0);
}

#define DEFAULT_KEY	(NMREQ_OPTK_DEFAULT | NMREQ_OPTK_MUSTSET)

struct nmreq_opt_parser nmport_opt_parsers[] = {
	{
		.prefix = "share", .parse = share_parse, .default_key = SHARE_PORT,
		.nr_keys = 1,
		.next = &nmport_opt_parsers[1],
		.keys = { { "port", SHARE_PORT, DEFAULT_KEY } },
	},
	{
		.prefix = "conf", .parse = conf_parse, .default_key = CONF_RINGS,
		.nr_keys = 9,
		.next = &nmport_opt_parsers[2],
		.keys = {
			{ "rings", CONF_RINGS, NMREQ_OPTK_DEFAULT }, { "host-rings", CONF_HOST_RINGS, 0 },
			{ "slots", CONF_SLOTS, 0 }, { "tx-rings", CONF_TX_RINGS, 0 },
			{ "rx-rings", CONF_RX_RINGS, 0 }, { "host-tx-rings", CONF_HOST_TX_RINGS, 0 },
			{ "host-rx-rings", CONF_HOST_RX_RINGS, 0 }, { "tx-slots", CONF_TX_SLOTS, 0 },
			{ "rx-slots", CONF_RX_SLOTS, 0 },
		},
	},
	{
		.prefix = "extmem", .parse = extmem_parse, .default_key = EXTMEM_FILE,
		.nr_keys = EXTMEM_NR_KEYS,
		.next = &nmport_opt_parsers[3],
		.keys = {
			{ "file", EXTMEM_FILE, DEFAULT_KEY },
			{ "if-num", EXTMEM_IF_NUM, 0 }, { "if-size", EXTMEM_IF_SIZE, 0 },
			{ "ring-num", EXTMEM_RING_NUM, 0 }, { "ring-size", EXTMEM_RING_SIZE, 0 },
			{ "buf-num", EXTMEM_BUF_NUM, 0 }, { "buf-size", EXTMEM_BUF_SIZE, 0 },
		},
	},
	{
		.prefix = "offset", .parse = offset_parse, .default_key = OFFSET_INITIAL,
		.nr_keys = 2,
		.keys = { { "initial", OFFSET_INITIAL, DEFAULT_KEY }, { "bits", OFFSET_BITS, 0 } },
	},
};

static struct nmreq_opt_parser *
parser_find(const char *name)
{
	struct nmreq_opt_parser *parser = nmport_opt_parsers;

	while (parser != NULL && strcmp(parser->prefix, name) != 0)
		parser = parser->next;
	return parser;
}

void
nmport_disable_option(const char *name)
{
	struct nmreq_opt_parser *parser = parser_find(name);

	if (parser != NULL)
		parser->flags |= NMREQ_OPTF_DISABLED;
}

int
nmport_enable_option(const char *name)
{
	struct nmreq_opt_parser *parser = parser_find(name);

	if (parser == NULL) {
		nmctx_ferror(nmctx_get(), "there is no option '%s' to enable", name);
		errno = EOPNOTSUPP;
		return -1;
	}
	parser->flags &= ~NMREQ_OPTF_DISABLED;
	return 0;
}
