#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// std::pmr memory from a MemoryContext. Throws std::bad_alloc instead of raising, so containers
/// over it live safely inside guarded(). Resetting the context frees everything at once: containers
/// whose memory goes that way are simply forgotten, never destroyed.
class PallocResource final : public std::pmr::memory_resource {
public:
  explicit PallocResource(MemoryContext context) noexcept : context_(context) {}

private:
  void *do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (alignment > MAXIMUM_ALIGNOF || !AllocHugeSizeIsValid(bytes))
      throw std::bad_alloc();
    void *memory = MemoryContextAllocExtended(context_, bytes, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    if (memory == nullptr)
      throw std::bad_alloc();
    return memory;
  }
  void do_deallocate(void *memory, std::size_t, std::size_t) override { pfree(memory); }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
    return this == &other;
  }

  MemoryContext context_;
};

} // namespace brainsait::pg
