#include "pg/session_key.hpp"

namespace brainsait::pg {
namespace {

LOCKTAG tag_of(LockClass lock_class, uint64 key) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, uint32(key >> 32), uint32(key), uint16(lock_class));
  return tag;
}

} // namespace

bool try_lock_session_key(LockClass lock_class, uint64 key) {
  LOCKTAG tag = tag_of(lock_class, key);
  return BRAINSAIT_LOCK_HELD_BY_ME(&tag, ExclusiveLock) ||
         LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void unlock_session_key(LockClass lock_class, uint64 key) {
  LOCKTAG tag = tag_of(lock_class, key);
  if (BRAINSAIT_LOCK_HELD_BY_ME(&tag, ExclusiveLock))
    LockRelease(&tag, ExclusiveLock, true);
}

bool key_is_free(LockClass lock_class, uint64 key) {
  LOCKTAG tag = tag_of(lock_class, key);
  if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
    return false;
  LockRelease(&tag, ShareLock, false);
  return true;
}

} // namespace brainsait::pg
