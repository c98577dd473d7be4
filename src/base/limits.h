/* SPDX-License-Identifier: Apache-2.0
 *
 * Every bound of the product, by name. A queue, cache, retry or batch without a limit here is a
 * bug.
 */
#ifndef AP_BASE_LIMITS_H
#define AP_BASE_LIMITS_H

#include <stdint.h>

#define AP_KIB ((int64_t)1024)
#define AP_MIB (1024 * AP_KIB)
#define AP_GIB (1024 * AP_MIB)

enum {
  AP_NAME_BYTES_MAX = 128,            /* a hive, box, frame or column name */
  AP_KEY_BYTES_MAX = 1024,            /* a key in a store, as S3 allows */
  AP_LOCAL_ROOT_BYTES_MAX = 2048,     /* path of a local store's root */
  AP_LOCAL_SEGMENT_BYTES_MAX = 255,   /* a name in a folder, as Linux file systems allow */
  AP_LOCAL_FOLDERS_KNOWN_MAX = 16384, /* folders a local store remembers as made */
  AP_JSON_DEPTH_MAX = 128,            /* nesting of outside JSON */
  AP_TREE_DEPTH_MAX = 2400,      /* nesting of a statement tree: the engine's 1,000 expressions */
  AP_TYPE_DEPTH_MAX = 32,        /* nesting of list, struct and map */
  AP_COLUMNS_MAX = 4096,         /* columns of a frame */
  AP_PARTITION_COLUMNS_MAX = 16, /* partition columns of a frame */
  AP_PARTITIONS_MAX = 10000,     /* distinct partitions of one write */
  AP_COMMIT_ATTEMPTS_MAX = 1000, /* rebases of one commit before it reports a conflict */
  AP_CHANGE_ATTEMPTS_MAX = 200,  /* runs of one UPDATE, DELETE, ... that others were faster than */
  AP_CHANGE_PATIENCE = 8,        /* of them, those after which it waits long before the next */
  AP_CHANGE_BACKOFF_MAX_MS = 2000,
  AP_CHANGE_TURN_MS_MAX = 60000,  /* that one which others were faster than holds others up */
  AP_MARKED_ROWS_MAX = 4194304,   /* rows in the deletion vectors that one statement writes */
  AP_TRANSACTION_FRAMES_MAX = 64, /* that a transaction reads */
  AP_CHECKPOINT_INTERVAL = 100,   /* commits between checkpoints unless the frame says otherwise */
  AP_CATALOG_CHECKPOINT_INTERVAL = 64, /* catalog versions between its checkpoints */
  AP_LOST_REPLIES_MAX = 8,             /* unknown outcomes of one change before it gives up */
  AP_PROPERTY_NAME_BYTES_MAX = 256,    /* of a hive, box or frame */
  AP_PROPERTY_VALUE_BYTES_MAX = 65536, /* likewise */
  AP_CHAMBERS_MAX = 64,                /* engine instances of one node */
  AP_QUEUE_MAX = 1024,                 /* works that wait for bees */
  AP_RETRY_AFTER_MS_MIN = 50,          /* what is told to whom is refused for being busy */
  AP_RETRY_AFTER_MS_MAX = 10000,       /* likewise */
  AP_WRITE_DELAY_MS_MAX = 100,         /* of a write when the colony is hot */
  AP_CHAMBER_IDLE_MS = 5000,           /* idle chambers but the last are closed after this long */
  AP_SMALL_QUERY_CELLS = 16,           /* of one frame that a query of one bee reads */
  AP_FRAMES_KEPT_MAX = 1024,           /* ledgers a node keeps open when nobody uses them */
  AP_IMPORT_FILES_MAX = 100000,        /* of one import */
  AP_FOLDER_DEPTH_MAX = 64,            /* of folders that are imported */
  AP_MERGE_CLAUSES_MAX = 100,          /* WHEN clauses of one MERGE */
  AP_STATEMENTS_MAX = 1000,            /* of one SQL text */
  AP_QUERY_PARAMETERS_MAX = 1024,      /* of one statement */
  AP_PARAMETER_ITEMS_MAX = 1 << 24,    /* of a list, struct or map that is a parameter */
  AP_PARAMETER_DEPTH_MAX = 32,         /* of such that are items of others */
  AP_BOUND_FRAMES_MAX = 256,           /* views that a chamber keeps for later statements */
  AP_VIEW_BYTES_MAX = 1048576,         /* definition of a view */
  AP_VIEW_DEPTH_MAX = 16,              /* views that read views */
  AP_VIEW_READS_MAX = 1000,            /* views that one statement unfolds */
  AP_COPIES_ATTACHED_MAX = 24,         /* native copies that a chamber has open */
  AP_CACHE_FRAMES_MAX = 1024,          /* frames that the cell cache follows */
  AP_CACHE_CELLS_MAX = 262144,         /* cells of one frame that it follows */
  AP_CACHE_COPIES_MAX = 4,             /* native copies of one frame */
  AP_CACHE_RANGES_MAX = 64,            /* runs of cells that a query picks of a copy */
  AP_PROPERTIES_MAX = 1000,            /* of a frame */
  AP_STATISTICS_COLUMNS_MAX = 32,      /* leading columns with statistics, as Delta's default */
  AP_JOIN_PAIRS_MAX = 64,              /* equations of a query's joins that may bound a frame */
  AP_JOIN_CONDITIONS_MAX = 64,         /* on the smaller side of one */
  AP_JOIN_CELLS_MIN = 8,               /* of the greater side, from which on bounds are sought */
  AP_JOIN_BOUNDS_CELLS_MAX = 1024,     /* of the smaller side, whose statistics are asked */
  AP_JOIN_ROWS_MAX = 1000000,          /* of the smaller side that are read beforehand */
  AP_JOIN_WHOLE_ROWS_MAX = 10000,      /* the same, when nothing picks among its rows */
  AP_JOIN_KEYS_MAX = 65536,            /* that cells are looked through for */
  AP_ANSWER_CELLS_MIN = 8,             /* from so many cells on, the ledger may answer */
  AP_SHELF_OBJECTS_MAX = 1048576,      /* on one shelf */
  AP_SHELF_CONNECTIONS_MAX = 1024,     /* of one shelf's clients */
  AP_SHELF_EVENTS_MAX = 1024,          /* that wait for one slow subscriber */
  AP_SHELF_DRAIN_MS = 5000,            /* that an ending server waits for writers */
  AP_STATISTICS_TEXT_CHARS = 32,       /* characters of a string statistic, as Delta's default */
};

#define AP_JSON_BYTES_MAX      (1 * AP_GIB)  /* one JSON text */
#define AP_STATEMENT_BYTES_MAX (16 * AP_MIB) /* one SQL text */
#define AP_OBJECT_BYTES_MAX    (2 * AP_GIB)  /* one object read whole into memory */
#define AP_CACHE_MEMORY_MIN    (1 * AP_GIB)  /* a node of less has no cell cache unless told to */
#define AP_CACHE_BYTES_DEFAULT (2 * AP_GIB)  /* disk for decoded cells */
#define AP_CELL_BYTES_MIN      (16 * AP_MIB) /* leafcutter's floor */
#define AP_JOIN_BYTES_MAX      (64 * AP_MIB) /* of cells of a join's smaller side read beforehand */
#define AP_SMALL_QUERY_BYTES   (4 * AP_MIB)  /* of cells that a query of one bee reads */
#define AP_CHAMBER_COST_BYTES  (4 * AP_MIB)  /* of an engine instance, outside of its limit */
#define AP_CHAMBER_FLOOR_BYTES (32 * AP_MIB) /* least limit of one, where memory is not short */

#endif
