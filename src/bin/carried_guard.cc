#include "bin/carried_guard.h"

// The assembler puts the file into the program; the build says which.
asm(".pushsection .rodata.etcd_guard,\"a\"\n"
    ".balign 16\n"
    ".global eo_guard_begin\n"
    "eo_guard_begin:\n"
    ".incbin \"" EO_GUARD_FILE
    "\"\n"
    ".global eo_guard_end\n"
    "eo_guard_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const char eo_guard_begin[];  // NOLINT(modernize-avoid-c-arrays): a symbol of the assembler
extern const char eo_guard_end[];    // NOLINT(modernize-avoid-c-arrays)
}

namespace bin {

std::string_view carried_guard() {
  return {eo_guard_begin, static_cast<size_t>(eo_guard_end - eo_guard_begin)};
}

}  // namespace bin
