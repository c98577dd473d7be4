/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling an extent. Large jobs are cut into pieces that threads take one after the other, as the
 * count of pieces is far above that of threads; small extents are filled by the caller alone.
 *
 * A piece is long, since memcpy passes the cache by only when it has much to do at once.
 */
#include "shelf/copy.h"

#include "base/assert.h"
#include "base/limits.h"
#include "port/memory.h"
#include "port/threads.h"

#include <stdatomic.h>
#include <string.h>

enum { THREADS_MAX = 16, ALIGNMENT = 64 };
#define ALONE_BYTES     (4 * AP_MIB)   /* below this one thread is as fast */
#define PIECE_BYTES_MIN (4 * AP_MIB)   /* of what several threads copy */
#define POPULATE_BYTES  (256 * AP_KIB) /* from here on pages are made at once, not one by one */

/* Bytes [from, to) of a job's target. */
struct piece {
  const struct ap_shelf_job *job;
  int64_t from;
  int64_t to;
};

struct crew {
  const struct piece *pieces;
  size_t count;
  char *memory;
  bool is_there;
  atomic_size_t next;
};

static void make_there(char *address, int64_t size) {
  if (size < POPULATE_BYTES) return;
  uintptr_t page = (uintptr_t)ap_memory_page_bytes();
  uintptr_t begin = (uintptr_t)address & ~(page - 1);
  uintptr_t end = ((uintptr_t)address + (uintptr_t)size) & ~(page - 1);
  if (end > begin)
    ap_memory_populate(address - ((uintptr_t)address - begin), (int64_t)(end - begin));
}

static void shift_offsets(const struct ap_shelf_job *job, char *target, int64_t from, int64_t to) {
  if (job->is_large) {
    for (int64_t at = from; at < to; at += 8) {
      int64_t value = 0;
      memcpy(&value, job->source + at - job->lead, sizeof value);
      value -= job->base;
      memcpy(target + at, &value, sizeof value);
    }
    return;
  }
  int32_t base = (int32_t)job->base;
  for (int64_t at = from; at < to; at += 4) {
    int32_t value = 0;
    memcpy(&value, job->source + at - job->lead, sizeof value);
    value -= base;
    memcpy(target + at, &value, sizeof value);
  }
}

static void shift_list_views(const struct ap_shelf_job *job, char *target, int64_t from,
                             int64_t to) {
  int64_t width = job->is_large ? 8 : 4;
  for (int64_t at = from; at < to; at += width) {
    int64_t size = 0;
    int64_t value = 0; /* little-endian, checked when building: 4 bytes fill the lower half */
    memcpy(&size, job->sizes + at - job->lead, (size_t)width);
    memcpy(&value, job->source + at - job->lead, (size_t)width);
    value = size == 0 ? 0 : value - job->base;
    memcpy(target + at, &value, (size_t)width);
  }
}

/* Views of valid rows get their bytes one after the other in data buffer 0. */
static void gather(const struct ap_shelf_job *job, char *memory) {
  const uint8_t *valid = job->array->buffers[0];
  char *views = memory + job->target;
  char *data = memory + job->data_target;
  int32_t used = 0;
  int64_t count = (job->size - job->lead) / 16;
  for (int64_t i = 0; i < count; i++) {
    char view[16];
    int32_t length = 0;
    int64_t at = job->row + i;
    memcpy(view, job->source + i * 16, sizeof view);
    memcpy(&length, view, sizeof length);
    if (valid != NULL && ((valid[at / 8] >> (at % 8)) & 1) == 0) {
      memset(view, 0, sizeof view);
    } else if (length > 12) {
      int32_t place[2];
      memcpy(place, view + 8, sizeof place);
      const char *from = (const char *)job->array->buffers[2 + place[0]] + place[1];
      AP_ASSERT(length <= job->data_size - used);
      memcpy(data + used, from, (size_t)length);
      place[0] = 0;
      place[1] = used;
      memcpy(view + 8, place, sizeof place);
      used += length;
    }
    memcpy(views + job->lead + i * 16, view, sizeof view);
  }
}

static void do_piece(const struct piece *piece, char *memory, bool is_there) {
  const struct ap_shelf_job *job = piece->job;
  char *target = memory + job->target;
  int64_t from = piece->from;
  if (!is_there) make_there(target + from, piece->to - from);
  if (from < job->lead) {
    int64_t end = job->lead < piece->to ? job->lead : piece->to;
    memset(target + from, 0, (size_t)(end - from));
    from = end;
  }
  if (job->kind == AP_SHELF_JOB_OFFSETS) {
    shift_offsets(job, target, from, piece->to);
  } else if (job->kind == AP_SHELF_JOB_LIST_VIEWS) {
    shift_list_views(job, target, from, piece->to);
  } else if (job->kind == AP_SHELF_JOB_GATHER) {
    gather(job, memory);
  } else if (piece->to > from) {
    memcpy(target + from, job->source + from - job->lead, (size_t)(piece->to - from));
  }
  if (piece->to == job->size && job->size % ALIGNMENT != 0) {
    memset(target + job->size, 0, (size_t)(ALIGNMENT - job->size % ALIGNMENT));
  }
}

static void work(void *context) {
  struct crew *crew = context;
  for (;;) {
    /* Pieces share nothing; joining the threads orders their writes before the caller's reads. */
    size_t index = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed);
    if (index >= crew->count) return;
    do_piece(&crew->pieces[index], crew->memory, crew->is_there);
  }
}

static ap_status run_crew(struct crew *crew, uint32_t threads, ap_error *err) {
  struct ap_threads *port = ap_threads_system();
  struct ap_thread *started[THREADS_MAX] = {0};
  uint32_t count = 0;
  (void)err;
  /* A thread that cannot be had is done without. */
  for (uint32_t i = 1; i < threads && i < THREADS_MAX && i < crew->count; i++) {
    if (port->spawn(port, work, crew, &started[count], NULL) == AP_OK) count++;
  }
  work(crew);
  for (uint32_t i = 0; i < count; i++) port->join(port, started[i]);
  return AP_OK;
}

static int64_t pieces_of(const struct ap_shelf_job *job, int64_t piece_bytes) {
  if (job->kind == AP_SHELF_JOB_GATHER || job->size <= piece_bytes) return 1;
  return (job->size + piece_bytes - 1) / piece_bytes;
}

ap_status ap_shelf_jobs_run(const struct ap_shelf_job *jobs, size_t count, char *memory,
                            bool is_there, uint32_t threads, ap_error *err) {
  int64_t total = 0;
  for (size_t i = 0; i < count; i++) total += jobs[i].size + jobs[i].data_size;
  if (threads < 2 || total < ALONE_BYTES) {
    for (size_t i = 0; i < count; i++) {
      struct piece whole = {&jobs[i], 0, jobs[i].size};
      do_piece(&whole, memory, is_there);
    }
    return AP_OK;
  }
  int64_t piece_bytes = total / (4 * (int64_t)threads) / ALIGNMENT * ALIGNMENT;
  if (piece_bytes < PIECE_BYTES_MIN) piece_bytes = PIECE_BYTES_MIN;
  size_t piece_count = 0;
  for (size_t i = 0; i < count; i++) piece_count += (size_t)pieces_of(&jobs[i], piece_bytes);
  struct piece *pieces =
      ap_allocate_zeroed(ap_allocator_system(), piece_count, sizeof(struct piece));
  if (pieces == NULL) return AP_FAIL_MEMORY(err);
  struct crew crew = {.pieces = pieces, .memory = memory, .is_there = is_there};
  for (size_t i = 0; i < count; i++) {
    int64_t parts = pieces_of(&jobs[i], piece_bytes);
    for (int64_t part = 0; part < parts; part++) {
      int64_t from = part * piece_bytes;
      int64_t to = part + 1 == parts ? jobs[i].size : from + piece_bytes;
      pieces[crew.count++] = (struct piece){&jobs[i], from, to};
    }
  }
  AP_ASSERT(crew.count == piece_count);
  atomic_init(&crew.next, 0);
  ap_status status = run_crew(&crew, threads, err);
  ap_free(ap_allocator_system(), pieces);
  return status;
}
