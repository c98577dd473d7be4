/* SPDX-License-Identifier: Apache-2.0
 *
 * arrowshelf-server: a command line around ap_shelf_serve. Exit status 0: it ended as asked; 1: it
 * could not serve, or none is there to show; 2: the command line.
 */
#include <apiary/shelf_server.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char help[] =
    "Usage: arrowshelf-server [options]\n"
    "Keep a shelf of Arrow data in memory that all processes of this user map and none copies.\n"
    "It serves until SIGTERM, SIGINT or arrowshelf.shutdown_server().\n"
    "\n"
    "  --memory SIZE      that objects may take: bytes, or 512MB, 4GB, 1.5GiB, 50% of the "
    "machine's\n"
    "                     (default: $ARROWSHELF_MEMORY, else 50%)\n"
    "  --warm SIZE        of it, kept at hand even when it is free (default: a sixteenth; 0: "
    "none)\n"
    "  --when-full HOW    refuse: a put that finds no room fails (default); evict: objects go "
    "that\n"
    "                     nobody holds or pinned, least recently held first\n"
    "  --socket PATH      to listen at; @NAME is an abstract name without a file\n"
    "                     (default: $ARROWSHELF_SOCKET, else $XDG_RUNTIME_DIR/arrowshelf.sock,\n"
    "                     else @arrowshelf-<user id>)\n"
    "  --daemon           return when clients can connect, and serve in the background\n"
    "  --status           show what the server at the socket holds, and end\n"
    "  --help             show this\n";

struct command {
  ap_shelf_server_options options;
  bool daemon;
  bool status;
};

static int fail_usage(const char *what, const char *value) {
  (void)fprintf(stderr, "arrowshelf-server: %s '%s'\nTry: arrowshelf-server --help\n", what, value);
  return EXIT_USAGE;
}

static int fail(const ap_error *err) {
  (void)fprintf(stderr, "arrowshelf-server: %s\n", err->message);
  if (err->hint[0] != '\0') (void)fprintf(stderr, "  %s\n", err->hint);
  return EXIT_FAILURE;
}

static bool unit_of(const char *text, double *out) {
  static const struct {
    const char *name;
    double bytes;
  } units[] = {
      {"", 1},
      {"B", 1},
      {"K", 1024.0},
      {"KB", 1e3},
      {"KiB", 1024.0},
      {"M", 1024.0 * 1024},
      {"MB", 1e6},
      {"MiB", 1024.0 * 1024},
      {"G", 1024.0 * 1024 * 1024},
      {"GB", 1e9},
      {"GiB", 1024.0 * 1024 * 1024},
      {"TB", 1e12},
      {"TiB", 1024.0 * 1024 * 1024 * 1024},
  };
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (strcasecmp(text, units[i].name) == 0) {
      *out = units[i].bytes;
      return true;
    }
  }
  return false;
}

static int64_t machine_bytes(void) {
  long pages = sysconf(_SC_PHYS_PAGES);
  long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? (int64_t)pages * page : 0;
}

/* "4GB", "50%", "1.5 GiB". False when it is none of these, or negative. */
static bool parse_size(const char *text, int64_t *out) {
  char *end = NULL;
  double unit = 0;
  errno = 0;
  double number = strtod(text, &end);
  if (end == text || errno != 0 || !(number >= 0)) return false;
  while (*end == ' ') end++;
  if (strcmp(end, "%") == 0) {
    unit = (double)machine_bytes() / 100;
    if (number > 100) return false;
  } else if (!unit_of(end, &unit)) {
    return false;
  }
  if (number * unit > 1e18) return false;
  *out = (int64_t)(number * unit);
  return true;
}

static int parse(int count, char **words, struct command *out) {
  static const struct option options[] = {
      {"memory", required_argument, NULL, 'm'},
      {"warm", required_argument, NULL, 'w'},
      {"when-full", required_argument, NULL, 'f'},
      {"socket", required_argument, NULL, 's'},
      {"daemon", no_argument, NULL, 'd'},
      {"status", no_argument, NULL, 'q'},
      {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0},
  };
  const char *memory = getenv("ARROWSHELF_MEMORY");
  for (;;) {
    int option = getopt_long(count, words, "h", options, NULL);
    if (option < 0) break;
    switch (option) {
      case 'm':
        memory = optarg;
        break;
      case 'w':
        if (!parse_size(optarg, &out->options.warm_bytes)) {
          return fail_usage("--warm is no size like 256MB:", optarg);
        }
        if (out->options.warm_bytes == 0) out->options.warm_bytes = -1;
        break;
      case 'f':
        if (strcmp(optarg, "evict") != 0 && strcmp(optarg, "refuse") != 0) {
          return fail_usage("--when-full is refuse or evict, not", optarg);
        }
        out->options.when_full = optarg[0] == 'e' ? AP_SHELF_EVICT : AP_SHELF_REFUSE;
        break;
      case 's':
        out->options.socket = optarg;
        break;
      case 'd':
        out->daemon = true;
        break;
      case 'q':
        out->status = true;
        break;
      case 'h':
        (void)fputs(help, stdout);
        exit(EXIT_SUCCESS);
      default: /* getopt has said what is wrong */
        (void)fputs("Try: arrowshelf-server --help\n", stderr);
        return EXIT_USAGE;
    }
  }
  if (optind < count) return fail_usage("what is", words[optind]);
  if (memory == NULL || memory[0] == '\0') return EXIT_SUCCESS;
  if (parse_size(memory, &out->options.memory_bytes) && out->options.memory_bytes > 0) {
    return EXIT_SUCCESS;
  }
  return fail_usage("--memory is no size like 4GB:", memory);
}

/* ---- showing --------------------------------------------------------------------------------- */

static void show_bytes(const char *what, int64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double number = (double)bytes;
  size_t unit = 0;
  while (number >= 1024 && unit < 4) {
    number /= 1024;
    unit++;
  }
  (void)printf("%-14s %.*f %s\n", what, unit == 0 ? 0 : 1, number, units[unit]);
}

static int show_status(const char *socket) {
  ap_shelf_server_state state = AP_SHELF_SERVER_STATE_INIT;
  ap_error err = {0};
  if (ap_shelf_server_ask(socket, &state, &err) != AP_OK) return fail(&err);
  (void)printf("%-14s %lld\n", "process", (long long)state.process);
  show_bytes("memory", state.memory_bytes);
  show_bytes("used", state.used_bytes);
  show_bytes("resident", state.resident_bytes);
  show_bytes("largest free", state.largest_free_bytes);
  (void)printf("%-14s %lld\n", "objects", (long long)state.objects);
  (void)printf("%-14s %lld\n", "unsealed", (long long)state.unsealed);
  (void)printf("%-14s %lld\n", "deleted, held", (long long)state.deleted);
  (void)printf("%-14s %lld\n", "connections", (long long)state.connections - 1);
  (void)printf("%-14s %lld\n", "puts", (long long)state.puts);
  (void)printf("%-14s %lld\n", "gets", (long long)state.gets);
  (void)printf("%-14s %lld\n", "deletes", (long long)state.deletes);
  (void)printf("%-14s %lld\n", "evictions", (long long)state.evictions);
  return EXIT_SUCCESS;
}

/* ---- serving --------------------------------------------------------------------------------- */

static void say_ready(void *context, const char *socket) {
  (void)context;
  (void)printf("arrowshelf-server: ready at %s (process %d)\n", socket, (int)getpid());
  (void)fflush(stdout);
}

static int serve(const ap_shelf_server_options *options) {
  ap_error err = {0};
  return ap_shelf_serve(options, &err) == AP_OK ? EXIT_SUCCESS : fail(&err);
}

/* In the background: the waiting parent is told, and the terminal let go. */
static void say_ready_and_leave(void *context, const char *socket) {
  int *pipe_end = context;
  int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  say_ready(NULL, socket);
  if (nowhere >= 0) {
    for (int i = 0; i < 3; i++) (void)dup2(nowhere, i);
    (void)close(nowhere);
  }
  ssize_t told = write(*pipe_end, "x", 1);
  (void)told; /* a parent that is gone does not wait */
  (void)close(*pipe_end);
}

static int serve_in_background(struct command *command) {
  int ends[2];
  char byte = 0;
  int status = 0;
  if (pipe(ends) != 0) {
    perror("arrowshelf-server: pipe");
    return EXIT_FAILURE;
  }
  pid_t child = fork();
  if (child < 0) {
    perror("arrowshelf-server: fork");
    return EXIT_FAILURE;
  }
  if (child == 0) {
    (void)close(ends[0]);
    (void)setsid();
    command->options.ready = say_ready_and_leave;
    command->options.context = &ends[1];
    return serve(&command->options);
  }
  (void)close(ends[1]);
  if (read(ends[0], &byte, 1) == 1) return EXIT_SUCCESS;
  /* It ended before it was ready and said why. */
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int count, char **words) {
  struct command command = {.options = AP_SHELF_SERVER_OPTIONS_INIT};
  int status = parse(count, words, &command);
  if (status != EXIT_SUCCESS) return status;
  if (command.status) return show_status(command.options.socket);
  if (command.daemon) return serve_in_background(&command);
  command.options.ready = say_ready;
  return serve(&command.options);
}
