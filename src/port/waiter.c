/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for many sockets (epoll), and for SIGTERM and SIGINT where asked to (signalfd). The
 * signals are blocked in the thread that creates the waiter and stay so until it is destroyed.
 */
#define _GNU_SOURCE /* epoll_create1 */

#include "port/socket.h"

#include "base/alloc.h"
#include "port/clock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
  EVENTS_MAX = 64,
  ATTENTIVE_US = 200 /* that a waiter stays awake after something came */
};

struct ap_waiter {
  int poll;
  int signals;                /* -1: not heard */
  int64_t attentive_until_us; /* when something may come at once again */
  sigset_t blocked_before;
};

ap_status ap_waiter_create(bool hears_signals, struct ap_waiter **out, ap_error *err) {
  struct ap_waiter *waiter = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *waiter);
  if (waiter == NULL) return AP_FAIL_MEMORY(err);
  waiter->signals = -1;
  waiter->poll = epoll_create1(EPOLL_CLOEXEC);
  bool made = waiter->poll >= 0;
  if (made && hears_signals) {
    sigset_t wanted;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = waiter}};
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &wanted, &waiter->blocked_before);
    waiter->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    made = waiter->signals >= 0 &&
           epoll_ctl(waiter->poll, EPOLL_CTL_ADD, waiter->signals, &event) == 0;
  }
  if (!made) {
    ap_status status = AP_FAIL(err, AP_IO, "cannot wait for sockets: %s", strerror(errno));
    ap_waiter_destroy(waiter);
    return status;
  }
  *out = waiter;
  return AP_OK;
}

void ap_waiter_destroy(struct ap_waiter *waiter) {
  if (waiter == NULL) return;
  if (waiter->signals >= 0) {
    (void)close(waiter->signals);
    (void)pthread_sigmask(SIG_SETMASK, &waiter->blocked_before, NULL);
  }
  if (waiter->poll >= 0) (void)close(waiter->poll);
  ap_free(ap_allocator_system(), waiter);
}

ap_status ap_waiter_add(struct ap_waiter *waiter, int socket, void *context, ap_error *err) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = context}};
  if (epoll_ctl(waiter->poll, EPOLL_CTL_ADD, socket, &event) == 0) return AP_OK;
  return AP_FAIL(err, AP_IO, "cannot wait for a socket: %s", strerror(errno));
}

ap_status ap_waiter_turn(struct ap_waiter *waiter, int socket, void *context, bool writable,
                         ap_error *err) {
  struct epoll_event event = {.events = writable ? EPOLLOUT : EPOLLIN, .data = {.ptr = context}};
  if (epoll_ctl(waiter->poll, EPOLL_CTL_MOD, socket, &event) == 0) return AP_OK;
  return AP_FAIL(err, AP_IO, "cannot wait for a socket: %s", strerror(errno));
}

void ap_waiter_remove(struct ap_waiter *waiter, int socket) {
  struct epoll_event event = {0};
  (void)epoll_ctl(waiter->poll, EPOLL_CTL_DEL, socket, &event);
}

static int64_t now_us(void) {
  return ap_clock_monotonic_us(ap_clock_system());
}

/* Waking a thread takes many times longer than a short request, and those come in rows: shortly
 * after one it is looked for the next without sleeping. */
static int wait_for_events(struct ap_waiter *waiter, struct epoll_event *events, int room,
                           int64_t timeout_ms) {
  int found = 0;
  while (found == 0 && timeout_ms > 0 && now_us() < waiter->attentive_until_us) {
    found = epoll_wait(waiter->poll, events, room, 0);
    if (found == 0) (void)sched_yield();
  }
  if (found == 0) found = epoll_wait(waiter->poll, events, room, (int)timeout_ms);
  if (found > 0) waiter->attentive_until_us = now_us() + ATTENTIVE_US;
  return found;
}

ap_status ap_waiter_wait(struct ap_waiter *waiter, int64_t timeout_ms, void **out, size_t max,
                         size_t *out_count, bool *out_ended, ap_error *err) {
  struct epoll_event events[EVENTS_MAX];
  int room = max > EVENTS_MAX ? EVENTS_MAX : (int)max;
  int found = wait_for_events(waiter, events, room, timeout_ms);
  *out_count = 0;
  *out_ended = false;
  if (found < 0 && errno == EINTR) return AP_OK;
  if (found < 0) return AP_FAIL(err, AP_IO, "cannot wait for sockets: %s", strerror(errno));
  for (int i = 0; i < found; i++) {
    if (events[i].data.ptr == waiter) {
      /* Taken here: one that stayed pending would end the process once it is let through again. */
      struct signalfd_siginfo heard;
      while (read(waiter->signals, &heard, sizeof heard) > 0) *out_ended = true;
    } else {
      out[(*out_count)++] = events[i].data.ptr;
    }
  }
  return AP_OK;
}
