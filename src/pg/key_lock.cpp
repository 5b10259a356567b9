#include "pg/key_lock.hpp"

namespace brainsait::pg {
namespace {

LockAcquireResult acquire(LockClass lock_class, uint64 key_hash, LockStrength strength,
                          bool do_not_wait) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, uint32(key_hash >> 32), uint32(key_hash),
                       uint16(lock_class));
  LOCKMODE mode = strength == LockStrength::shared ? ShareLock : ExclusiveLock;
  return LockAcquire(&tag, mode, false, do_not_wait);
}

} // namespace

void lock_key(LockClass lock_class, uint64 key_hash, LockStrength strength) {
  (void)acquire(lock_class, key_hash, strength, false);
}

bool try_lock_key(LockClass lock_class, uint64 key_hash, LockStrength strength) {
  return acquire(lock_class, key_hash, strength, true) != LOCKACQUIRE_NOT_AVAIL;
}

} // namespace brainsait::pg
