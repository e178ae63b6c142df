// SPDX-License-Identifier: Apache-2.0
// The containers of lib/: the standard ones over a runtime's Memory. Each is made with a Memory& (`String s(mem);`);
// nested ones pass it on by hand (`v.emplace_back(mem)`).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/memory.h"

namespace inlay {

template <class T>
using Vector = std::vector<T, Alloc<T>>;
template <class T>
using Deque = std::deque<T, Alloc<T>>;
using String = std::basic_string<char, std::char_traits<char>, Alloc<char>>;

// Looks up a String by string_view without making one.
struct TextLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept { return a < b; }
};
struct TextEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

template <class K, class V, class Less = std::less<>>
using Map = std::map<K, V, Less, Alloc<std::pair<const K, V>>>;
// Keys from files go through a hash with a per-process seed, so that no file can aim its collisions.
template <class K, class V, class Hash = SeededHash, class Equal = std::equal_to<>>
using HashMap = std::unordered_map<K, V, Hash, Equal, Alloc<std::pair<const K, V>>>;

inline String make_string(Memory &m, std::string_view s) { return String(s, Alloc<char>(m)); }

}  // namespace inlay
