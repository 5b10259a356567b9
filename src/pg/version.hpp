#pragma once

// Every difference between the supported PostgreSQL versions (15 to 18) is named here and nowhere
// else. Included by pg/postgres.hpp, after postgres.h.

#if PG_VERSION_NUM < 150000
#error "brainsait needs PostgreSQL 15 or later"
#endif

extern "C" {
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}

// PostgreSQL 18 reports a module's name and version in pg_get_loaded_modules().
#ifdef PG_MODULE_MAGIC_EXT
#define BRAINSAIT_MODULE_MAGIC(module_name, module_version)                                        \
  PG_MODULE_MAGIC_EXT(.name = module_name, .version = module_version)
#else
#define BRAINSAIT_MODULE_MAGIC(module_name, module_version) PG_MODULE_MAGIC
#endif

// PostgreSQL 18 lets an index scan count what it does. The caller includes access/genam.h.
#if PG_VERSION_NUM >= 180000
#define BRAINSAIT_INDEX_BEGINSCAN(heap, index, snapshot, key_count)                                \
  index_beginscan(heap, index, snapshot, nullptr, key_count, 0)
#else
#define BRAINSAIT_INDEX_BEGINSCAN(heap, index, snapshot, key_count)                                \
  index_beginscan(heap, index, snapshot, key_count, 0)
#endif

// PostgreSQL 17 lets the question whether a lock is held include stronger ones.
#if PG_VERSION_NUM >= 170000
#define BRAINSAIT_LOCK_HELD_BY_ME(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define BRAINSAIT_LOCK_HELD_BY_ME(tag, mode) LockHeldByMe(tag, mode)
#endif

// PostgreSQL 17 gives a set of events to a resource owner, where before it took a memory context.
// Here it is the caller's to free. The caller includes storage/latch.h.
#if PG_VERSION_NUM >= 170000
#define BRAINSAIT_CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(nullptr, count)
#else
#define BRAINSAIT_CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(CurrentMemoryContext, count)
#endif

// PostgreSQL 16 tells after an update which indexes need the row, not only whether: what converts
// to true where any does. The user includes access/tableam.h.
#if PG_VERSION_NUM >= 160000
#define BRAINSAIT_UPDATED_INDEXES TU_UpdateIndexes
#else
#define BRAINSAIT_UPDATED_INDEXES bool
#endif

// PostgreSQL 18 no longer tells ExecutorRun() whether a query runs once. Takes the comma along.
#if PG_VERSION_NUM >= 180000
#define BRAINSAIT_EXECUTE_ONCE(argument)
#else
#define BRAINSAIT_EXECUTE_ONCE(argument) , argument
#endif
