/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an apiary: options, environment variables and defaults become a node. The only place that
 * reads the environment.
 */
#include "api/handles.h"
#include "base/limits.h"
#include "execute/report.h"

#include <stdlib.h>
#include <string.h>

#define AP_VERSION_TEXT "0.1.0"
#define AP_MEMORY_MIN   (64 * AP_MIB)

const char *ap_version(void) {
  return AP_VERSION_TEXT;
}
const char *ap_engine_version(void) {
  return ap_engine_library_version();
}

static const char *environment(const char *name) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

ap_status ap_parse_size(const char *text, int64_t *out_bytes, ap_error *err) {
  if (text != NULL && ap_text_parse_size(ap_text_of(text), out_bytes)) return AP_OK;
  (void)AP_FAIL(err, AP_INVALID_ARGUMENT, "'%s' is no size", text == NULL ? "NULL" : text);
  ap_error_hint(err, "write it as 4GB or 512MiB");
  return AP_INVALID_ARGUMENT;
}

static ap_status choose_memory(const ap_open_options *options, int64_t *out_bytes, ap_error *err) {
  const char *text = environment("APIARY_MEMORY");
  *out_bytes = AP_OPTION(options, memory_bytes, 0);
  if (*out_bytes == 0 && text != NULL && !ap_text_parse_size(ap_text_of(text), out_bytes)) {
    ap_status status = AP_FAIL(err, AP_CONFIG, "APIARY_MEMORY is '%s', which is no size", text);
    ap_error_hint(err, "write it as 4GB or 512MiB");
    return status;
  }
  if (*out_bytes != 0 && *out_bytes < AP_MEMORY_MIN) {
    ap_status status =
        AP_FAIL(err, AP_CONFIG, "%lld bytes of memory are too few", (long long)*out_bytes);
    ap_error_hint(err, "give at least %lld MiB", (long long)(AP_MEMORY_MIN / AP_MIB));
    return status;
  }
  return AP_OK;
}

static ap_status choose_scratch(const ap_open_options *options, int64_t *out_bytes, ap_error *err) {
  const char *text = environment("APIARY_SCRATCH_SIZE");
  *out_bytes = AP_OPTION(options, scratch_bytes, 0);
  if (*out_bytes < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%lld bytes of scratch cannot be",
                   (long long)*out_bytes);
  }
  if (*out_bytes == 0 && text != NULL && !ap_text_parse_size(ap_text_of(text), out_bytes)) {
    ap_status status =
        AP_FAIL(err, AP_CONFIG, "APIARY_SCRATCH_SIZE is '%s', which is no size", text);
    ap_error_hint(err, "write it as 4GB or 512MiB");
    return status;
  }
  return AP_OK;
}

static ap_status choose_cache_mode(const ap_open_options *options, ap_cell_cache *out_mode,
                                   ap_error *err) {
  const char *text = environment("APIARY_CELL_CACHE");
  *out_mode = AP_OPTION(options, cache, AP_CELL_CACHE_DEFAULT);
  if (*out_mode != AP_CELL_CACHE_DEFAULT) {
    if (*out_mode >= AP_CELL_CACHE_ON && *out_mode <= AP_CELL_CACHE_EAGER) return AP_OK;
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "cell cache %d does not exist", (int)*out_mode);
  }
  *out_mode = AP_CELL_CACHE_ON;
  if (text == NULL || strcmp(text, "on") == 0) return AP_OK;
  *out_mode = strcmp(text, "off") == 0 ? AP_CELL_CACHE_OFF : AP_CELL_CACHE_EAGER;
  if (*out_mode == AP_CELL_CACHE_OFF || strcmp(text, "eager") == 0) return AP_OK;
  ap_status status = AP_FAIL(err, AP_CONFIG, "APIARY_CELL_CACHE is '%s'", text);
  ap_error_hint(err, "set it to on, off or eager");
  return status;
}

static ap_status choose_cache(const ap_open_options *options, int64_t memory_bytes,
                              struct ap_node_options *out_node, ap_error *err) {
  ap_cell_cache mode = AP_CELL_CACHE_DEFAULT;
  const char *text = environment("APIARY_CACHE_SIZE");
  int64_t bytes = AP_OPTION(options, cache_bytes, 0);
  AP_TRY(choose_cache_mode(options, &mode, err));
  if (bytes == 0 && text != NULL && strcmp(text, "0") == 0) bytes = -1;
  if (bytes == 0 && text != NULL && !ap_text_parse_size(ap_text_of(text), &bytes)) {
    ap_status status = AP_FAIL(err, AP_CONFIG, "APIARY_CACHE_SIZE is '%s', which is no size", text);
    ap_error_hint(err, "write it as 4GB or 512MiB; 0 means none");
    return status;
  }
  if (bytes == 0 && memory_bytes >= AP_CACHE_MEMORY_MIN) bytes = AP_CACHE_BYTES_DEFAULT;
  if (mode == AP_CELL_CACHE_OFF || bytes < 0) bytes = 0;
  out_node->cache_bytes = bytes;
  out_node->cache_eager = mode == AP_CELL_CACHE_EAGER;
  return AP_OK;
}

static ap_status choose_root(const char *storage, const char *name, struct ap_buffer *out,
                             ap_error *err) {
  if (storage == NULL) {
    const char *home = environment("HOME");
    AP_TRY(ap_catalog_check_name("apiary", ap_text_of(name), err));
    if (home == NULL) {
      ap_status status = AP_FAIL(err, AP_CONFIG, "no storage is given and HOME is not set");
      ap_error_hint(err, "name a folder, or set APIARY_STORAGE");
      return status;
    }
    ap_buffer_append_format(out, "%s/.apiary/data/%s", home, name);
    return ap_buffer_check(out, err);
  }
  struct ap_text text = ap_text_of(storage);
  struct ap_text scheme_end = AP_TEXT("://");
  if (ap_text_starts_with(text, AP_TEXT("local://"))) {
    text = (struct ap_text){text.data + 8, text.size - 8};
  } else if (ap_text_starts_with(text, AP_TEXT("file://"))) {
    text = (struct ap_text){text.data + 7, text.size - 7};
  } else if (strstr(storage, scheme_end.data) != NULL) {
    ap_status status =
        AP_FAIL(err, AP_CONFIG, "storage '%s' has a scheme that is not known", storage);
    ap_error_hint(err, "give a folder, local://folder or file://folder");
    return status;
  }
  if (text.size == 0) return AP_FAIL(err, AP_CONFIG, "storage '%s' names no folder", storage);
  if (text.data[0] == '~' && (text.size == 1 || text.data[1] == '/') &&
      environment("HOME") != NULL) {
    ap_buffer_append_string(out, environment("HOME"));
    text = (struct ap_text){text.data + 1, text.size - 1};
  }
  ap_buffer_append_text(out, text);
  return ap_buffer_check(out, err);
}

static ap_status open_node(const ap_open_options *options, struct ap_apiary *apiary,
                           ap_error *err) {
  const struct ap_env *env = ap_env_system();
  const char *name = AP_OPTION(options, name, NULL);
  const char *storage = AP_OPTION(options, storage, NULL);
  struct ap_node_options node = {.bees = AP_OPTION(options, bees, 0)};
  struct ap_buffer root;
  if (name == NULL) name = environment("APIARY_NAME");
  if (name == NULL) name = "default";
  if (storage == NULL) storage = environment("APIARY_STORAGE");
  node.name = name;
  node.durability = AP_OPTION(options, relaxed, false) ? AP_RELAXED : AP_DURABLE;
  AP_TRY(choose_memory(options, &node.memory_bytes, err));
  AP_TRY(choose_scratch(options, &node.scratch_bytes, err));
  AP_TRY(choose_cache(options, ap_node_memory(node.memory_bytes), &node, err));
  ap_buffer_init(&root, env->allocator);
  ap_status status = choose_root(storage, name, &root, err);
  if (status == AP_OK) {
    node.root = root.data;
    status = ap_node_open(env, &node, &apiary->node, err);
  }
  ap_buffer_deinit(&root);
  return status;
}

ap_status ap_open(const ap_open_options *options, ap_apiary **out_apiary, ap_error *err) {
  if (out_apiary == NULL) return AP_FAIL(err, AP_INVALID_ARGUMENT, "out_apiary is NULL");
  struct ap_allocator *allocator = ap_env_system()->allocator;
  struct ap_apiary *apiary = ap_allocate_zeroed(allocator, 1, sizeof *apiary);
  if (apiary == NULL) return AP_FAIL_MEMORY(err);
  const char *timing = environment("APIARY_TIMING");
  apiary->timing = timing != NULL && strcmp(timing, "0") != 0;
  ap_status status = open_node(options, apiary, err);
  if (status != AP_OK) {
    ap_free(allocator, apiary);
    return status;
  }
  *out_apiary = apiary;
  return AP_OK;
}

void ap_close(ap_apiary *apiary) {
  if (apiary == NULL) return;
  ap_node_close(apiary->node);
  ap_free(ap_env_system()->allocator, apiary);
}

void ap_string_free(char *string) {
  ap_free(ap_env_system()->allocator, string);
}

ap_status ap_api_hand_out(struct ap_buffer *buffer, char **out_string, ap_error *err) {
  AP_TRY(ap_buffer_check(buffer, err));
  char *copy = ap_string_copy(ap_env_system()->allocator, ap_buffer_text(buffer));
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  *out_string = copy;
  return AP_OK;
}

ap_status ap_get_report(ap_apiary *apiary, ap_report report, char **out_json, ap_error *err) {
  struct ap_buffer json;
  ap_buffer_init(&json, ap_env_system()->allocator);
  ap_status status = AP_OK;
  switch (report) {
    case AP_REPORT_NODE:
      ap_report_node(apiary->node, &json);
      break;
    case AP_REPORT_BEES:
      ap_report_bees(apiary->node, &json);
      break;
    case AP_REPORT_SWARM:
      ap_report_swarm(apiary->node, &json);
      break;
    case AP_REPORT_COLONY:
      ap_report_colony(apiary->node, &json);
      break;
    default:
      status = AP_FAIL(err, AP_INVALID_ARGUMENT, "report %d does not exist", (int)report);
  }
  if (status == AP_OK) status = ap_api_hand_out(&json, out_json, err);
  ap_buffer_deinit(&json);
  return status;
}
