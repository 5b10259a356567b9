#pragma once

#include "pg/key_lock.hpp"

namespace brainsait::pg {

/// Takes the exclusive lock on a key of this database for the session, without waiting, inside a
/// transaction or not: false where another session holds or asks for it. Neither commit nor
/// rollback lets go of it; unlock_session_key() does, the session's end, and whatever lets go of
/// all advisory locks (DISCARD ALL, pg_advisory_unlock_all()). Taking it again changes nothing.
bool try_lock_session_key(LockClass lock_class, uint64 key);

/// Lets go of what try_lock_session_key() took, where it is held still.
void unlock_session_key(LockClass lock_class, uint64 key);

/// Whether no other session holds the key's exclusive lock; inside a transaction. Sessions that ask
/// do not get into one another's way; a session that is asking while another one tries the
/// exclusive lock makes that try fail.
bool key_is_free(LockClass lock_class, uint64 key);

} // namespace brainsait::pg
