/* SPDX-License-Identifier: Apache-2.0
 *
 * See interrupt.h.
 */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 130 };

static void *wait_for_signals(void *opaque) {
  struct cli_interrupt *interrupt = opaque;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    int count = atomic_fetch_add(&interrupt->count, 1) + 1;
    if (count >= atomic_load(&interrupt->patience)) _exit(EXIT_INTERRUPTED);
    ssize_t written = write(interrupt->pipe[1], "!", 1);
    (void)written;
  }
  return NULL;
}

bool cli_interrupt_init(struct cli_interrupt *interrupt) {
  sigset_t signals;
  pthread_t thread;
  pthread_attr_t attributes;
  atomic_init(&interrupt->count, 0);
  atomic_init(&interrupt->patience, 2);
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || pipe(interrupt->pipe) != 0) return false;
  for (int i = 0; i < 2; ++i) {
    if (fcntl(interrupt->pipe[i], F_SETFL, O_NONBLOCK) != 0) return false;
    if (fcntl(interrupt->pipe[i], F_SETFD, FD_CLOEXEC) != 0) return false;
  }
  errno = pthread_sigmask(SIG_BLOCK, &signals, NULL);
  if (errno != 0 || pthread_attr_init(&attributes) != 0) return false;
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  errno = pthread_create(&thread, &attributes, wait_for_signals, interrupt);
  (void)pthread_attr_destroy(&attributes);
  return errno == 0;
}

bool cli_interrupt_asked(void *context) {
  struct cli_interrupt *interrupt = context;
  return atomic_load(&interrupt->count) > 0;
}

void cli_interrupt_clear(struct cli_interrupt *interrupt) {
  char bytes[16];
  atomic_store(&interrupt->count, 0);
  while (read(interrupt->pipe[0], bytes, sizeof bytes) > 0) continue;
}
