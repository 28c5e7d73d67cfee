# How our own code is compiled: warnings are errors, ccache when there is one, sanitizers by option.
set(SACCADE_SANITIZE "" CACHE STRING "Sanitizers for our code and its tests, e.g. address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(saccade_compile_options INTERFACE)
target_compile_options(saccade_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual)
if(SACCADE_SANITIZE)
  # Compiled to be run once: at -O2 with all of -g it takes twice as long, and a report needs no more than lines.
  target_compile_options(saccade_compile_options INTERFACE -fsanitize=${SACCADE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1 -g1)
  target_link_options(saccade_compile_options INTERFACE -fsanitize=${SACCADE_SANITIZE})
endif()

# saccade_room(NAME SOURCES a.cpp … USES room … [LIBRARIES lib …])
# One room of the engine: a static library saccade_NAME whose includes start at engine/.
function(saccade_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(saccade_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(saccade_${name} PUBLIC ${CMAKE_SOURCE_DIR}/engine)
  list(TRANSFORM ROOM_USES PREPEND saccade_)
  target_link_libraries(saccade_${name} PUBLIC ${ROOM_USES} Threads::Threads PRIVATE saccade_compile_options ${ROOM_LIBRARIES})
endfunction()
