// Compiled several times, for the widest vectors that this machine may have; the loader picks one.
#pragma once

// Put before a function whose loops the compiler vectorises. Sanitizers cannot run the picking, so they get
// one version.
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SACCADE_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SACCADE_VECTORISED
#endif
