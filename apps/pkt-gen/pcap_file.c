/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of captured packets, through libpcap. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "frame.h"
#include "pcap_file.h"

#define FILE_SNAPLEN 262144

struct pcap_file {
	pcap_t *pcap;
	pcap_dumper_t *dumper;	/* NULL: reading */
};

static struct pcap_file *pcap_file_new(pcap_t *pcap)
{
	struct pcap_file *p = calloc(1, sizeof(*p));

	if (p)
		p->pcap = pcap;
	else
		pcap_close(pcap);
	return p;
}

struct pcap_file *pcap_file_open(const char *path, char err[PCAP_FILE_ERR_MAX])
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, text);

	if (!pcap) {
		snprintf(err, PCAP_FILE_ERR_MAX, "%s", text);
		return NULL;
	}
	if (pcap_datalink(pcap) != DLT_EN10MB) {
		snprintf(err, PCAP_FILE_ERR_MAX, "%s: not a capture of Ethernet frames (link type %d)", path,
			 pcap_datalink(pcap));
		pcap_close(pcap);
		return NULL;
	}
	return pcap_file_new(pcap);
}

struct pcap_file *pcap_file_create(const char *path, char err[PCAP_FILE_ERR_MAX])
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, FILE_SNAPLEN);
	struct pcap_file *p = pcap ? pcap_file_new(pcap) : NULL;

	if (!p) {
		snprintf(err, PCAP_FILE_ERR_MAX, "%s: no memory", path);
		return NULL;
	}
	p->dumper = pcap_dump_open(pcap, path);
	if (!p->dumper) {
		snprintf(err, PCAP_FILE_ERR_MAX, "%s", pcap_geterr(pcap));
		pcap_file_close(p);
		return NULL;
	}
	return p;
}

int pcap_file_close(struct pcap_file *p)
{
	int rc = 0;

	if (p->dumper) {
		if (pcap_dump_flush(p->dumper) || ferror(pcap_dump_file(p->dumper)))
			rc = -EIO;
		pcap_dump_close(p->dumper);
	}
	pcap_close(p->pcap);
	free(p);
	return rc;
}

int pcap_file_read(struct pcap_file *p, const uint8_t **data)
{
	struct pcap_pkthdr *hdr;
	int rc;

	do {
		rc = pcap_next_ex(p->pcap, &hdr, data);
	} while (rc == 1 && hdr->caplen == 0);
	if (rc == 1)
		return (int)hdr->caplen;
	return rc == PCAP_ERROR_BREAK ? 0 : -EIO;
}

void pcap_file_write(struct pcap_file *p, const uint8_t *data, unsigned len)
{
	struct pcap_pkthdr hdr = { .caplen = len, .len = len };

	gettimeofday(&hdr.ts, NULL);
	pcap_dump((u_char *)p->dumper, &hdr, data);
}

/* Adds one frame. Sizes double, so that loading takes linear time. */
static int frame_file_add(struct frame_file *f, size_t *room, const uint8_t *data, unsigned len,
			  unsigned vnet_len)
{
	size_t need = f->size + vnet_len + len + FRAME_PADDING;
	struct frame_ref *frames;

	if (need > *room) {
		size_t n = need * 2;
		uint8_t *bytes = realloc(f->bytes, n);

		if (!bytes)
			return -ENOMEM;
		f->bytes = bytes;
		*room = n;
	}
	if ((f->count & (f->count - 1)) == 0) {
		frames = realloc(f->frames, (f->count ? f->count * 2 : 1) * sizeof(*frames));
		if (!frames)
			return -ENOMEM;
		f->frames = frames;
	}
	memset(f->bytes + f->size, 0, need - f->size);
	memcpy(f->bytes + f->size + vnet_len, data, len);
	f->frames[f->count++] = (struct frame_ref){ .ofs = f->size, .len = vnet_len + len };
	f->size = need;
	if (vnet_len + len > f->len_max)
		f->len_max = vnet_len + len;
	return 0;
}

int frame_file_load(struct frame_file *f, const char *path, unsigned vnet_len, char err[PCAP_FILE_ERR_MAX])
{
	struct pcap_file *p = pcap_file_open(path, err);
	const uint8_t *data;
	size_t room = 0;
	int len, rc = 0;

	memset(f, 0, sizeof(*f));
	if (!p)
		return -EINVAL;
	while (rc == 0 && (len = pcap_file_read(p, &data)) != 0) {
		rc = len < 0 ? len : -EMSGSIZE;
		if (len > 0 && (unsigned)len + vnet_len <= UINT16_MAX)
			rc = frame_file_add(f, &room, data, (unsigned)len, vnet_len);
	}
	if (rc == -EIO)
		snprintf(err, PCAP_FILE_ERR_MAX, "%s: %s", path, pcap_geterr(p->pcap));
	else if (rc)
		snprintf(err, PCAP_FILE_ERR_MAX, "%s: frame %zu: %s", path, f->count + 1, strerror(-rc));
	pcap_file_close(p);
	if (rc == 0 && f->count == 0) {
		snprintf(err, PCAP_FILE_ERR_MAX, "%s: no frames in it", path);
		rc = -EINVAL;
	}
	if (rc)
		frame_file_free(f);
	return rc;
}

void frame_file_free(struct frame_file *f)
{
	free(f->frames);
	free(f->bytes);
	memset(f, 0, sizeof(*f));
}
