#include "pg/key_lock.hpp"

extern "C" {
#include "storage/proc.h"
#include "utils/resowner.h"
}

namespace brainsait::pg {
namespace {

LOCKTAG tag_of(LockClass lock_class, uint64 key_hash) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, uint32(key_hash >> 32), uint32(key_hash),
                       uint16(lock_class));
  return tag;
}

LOCKMODE mode_of(LockStrength strength) {
  return strength == LockStrength::shared ? ShareLock : ExclusiveLock;
}

LockAcquireResult acquire(LockClass lock_class, uint64 key_hash, LockStrength strength,
                          bool do_not_wait) {
  LOCKTAG tag = tag_of(lock_class, key_hash);
  return LockAcquire(&tag, mode_of(strength), false, do_not_wait);
}

} // namespace

bool lock_key(LockClass lock_class, uint64 key_hash, LockStrength strength) {
  return acquire(lock_class, key_hash, strength, false) != LOCKACQUIRE_ALREADY_HELD;
}

bool try_lock_key(LockClass lock_class, uint64 key_hash, LockStrength strength) {
  return acquire(lock_class, key_hash, strength, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool holds_key(LockClass lock_class, uint64 key_hash, LockStrength strength) {
  LOCKTAG tag = tag_of(lock_class, key_hash);
  return BRAINSAIT_LOCK_HELD_BY_ME(&tag, mode_of(strength));
}

void unlock_key(LockClass lock_class, uint64 key_hash) {
  LOCKTAG tag = tag_of(lock_class, key_hash);
  (void)LockRelease(&tag, ExclusiveLock, false);
}

bool lock_key_within(LockClass lock_class, uint64 key_hash, int milliseconds) {
  if (try_lock_key(lock_class, key_hash))
    return true;
  // A wait that times out is an error, so it needs something to roll back.
  MemoryContext context = CurrentMemoryContext;
  ResourceOwner owner = CurrentResourceOwner;
  int usual_timeout = LockTimeout;
  volatile bool locked = false;
  BeginInternalSubTransaction(nullptr);
  PG_TRY();
  {
    LockTimeout = milliseconds;
    lock_key(lock_class, key_hash);
    LockTimeout = usual_timeout;
    ReleaseCurrentSubTransaction();
    locked = true;
  }
  PG_CATCH();
  {
    LockTimeout = usual_timeout;
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
      ReThrowError(error);
    FreeErrorData(error);
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  CurrentResourceOwner = owner;
  return locked;
}

} // namespace brainsait::pg
