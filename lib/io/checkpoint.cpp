// SPDX-License-Identifier: Apache-2.0
// Finding the parts of a checkpoint and putting their directories into one: splits of a GGUF file by their numbered
// names, shards of a folder by its index. Parts that contradict each other are "mismatch: …" naming both.
#include <algorithm>
#include <charconv>

#include "base/checked.h"
#include "io/safetensors.h"
#include "io/weights_file.h"

namespace inlay::io {

namespace {

// "-00002-of-00005.gguf": the numbers of a split's name.
struct SplitName {
    static constexpr size_t tail = sizeof("-00001-of-00005.gguf") - 1;
    std::string_view stem;
    uint32_t no = 0, count = 0;  // from 1
};

std::optional<SplitName> split_name(std::string_view path) {
    if (path.size() < SplitName::tail) return std::nullopt;
    SplitName s;
    s.stem = path.substr(0, (Checked(path.size()) - SplitName::tail).size());
    std::string_view t = path.substr(s.stem.size());
    auto number = [&](size_t at, uint32_t &out) {
        std::string_view digits = t.substr(at, 5);
        auto r = std::from_chars(digits.begin(), digits.end(), out);
        return r.ec == std::errc() && r.ptr == digits.end();
    };
    if (t[0] != '-' || t.substr(6, 4) != "-of-" || t.substr(15) != ".gguf" || !number(1, s.no) || !number(10, s.count)) return std::nullopt;
    return s;
}

String split_path(Memory &m, const SplitName &s, uint32_t no) {
    String p = make_string(m, s.stem);
    auto put = [&](std::string_view before, uint32_t v) {
        char digits[5] = {'0', '0', '0', '0', '0'};
        // raw: one decimal digit
        for (int i = 4; i >= 0; --i, v /= 10) digits[i] = static_cast<char>('0' + v % 10);
        p.append(before).append(digits, 5);
    };
    put("-", no);
    put("-of-", s.count);
    p.append(".gguf");
    return p;
}

}  // namespace

class WeightsBuilder {
public:
    WeightsBuilder(Memory &m, WeightsFile::Kind kind, const Limits &limits, const Log &log)
        : memory_(m), limits_(limits), log_(log), out_(make_owned<WeightsFile>(m, m, kind, limits)) {}

    Owned<WeightsFile> gguf(const FileSystem *files, std::string_view path, Owned<Source> first, OpenMode mode) {
        auto head = Gguf::read(memory_, *first, limits_, log_);
        int64_t count = head->get_int("split.count", 0), no = head->get_int("split.no", 0);
        if (count <= 1) {
            add_gguf(std::move(first), std::move(head));
            return finish();
        }
        if (static_cast<uint64_t>(count) > limits_.st_shards)
            fail(Code::limit, "key 'split.count' is ", count, ", limit ", limits_.st_shards);
        if (!files) fail(Code::unsupported, "this is one of ", count, " splits: open it by its path, so that the others are found");
        auto name = split_name(path);
        if (!name || name->count != count || name->no < 1 || static_cast<int64_t>(name->no) - 1 != no)  // raw: name->no has five digits
            fail(Code::format, "mismatch: split ", no, " of ", count, " (keys 'split.no', 'split.count') has the file name ", quoted{path},
                 ", expected one that ends in -NNNNN-of-NNNNN.gguf with these numbers from 1");
        for (uint32_t i = 1; i <= name->count; ++i) {
            if (i == name->no) {
                add_gguf(std::move(first), std::move(head));
                continue;
            }
            String p = split_path(memory_, *name, i);
            auto source = files->open(memory_, p, mode);
            auto part = Gguf::read(memory_, *source, limits_, log_);
            int64_t its_no = part->get_int("split.no", -1), its_count = part->get_int("split.count", -1);
            if (its_count != count || its_no != static_cast<int64_t>(i) - 1)  // raw: i has five digits
                fail(Code::format, "mismatch: ", quoted{p}, " says it is split ", its_no, " of ", its_count,
                     " (counted from 0), its name says ", i, " of ", count, " (from 1)");
            add_gguf(std::move(source), std::move(part));
        }
        int64_t declared = out_->gguf()->get_int("split.tensors.count", static_cast<int64_t>(out_->tensors_.size()));
        if (declared < 0 || static_cast<uint64_t>(declared) != out_->tensors_.size())
            fail(Code::format, "mismatch: key 'split.tensors.count' is ", declared, ", the ", count, " splits hold ", out_->tensors_.size(),
                 " tensors");
        return finish();
    }

    Owned<WeightsFile> folder(const FileSystem &files, std::string_view path, OpenMode mode) {
        out_->files_ = &files;
        out_->folder_ = make_string(memory_, path);
        out_->config_ = out_->side_json("config.json", {});
        if (out_->config_ && !out_->config_->root().is_object()) fail(Code::format, "config.json is not an object");
        if (auto one = files.open_if_exists(memory_, join_path(memory_, path, "model.safetensors"), mode)) {
            add_safetensors(std::move(one));
            return finish();
        }
        JsonLimits limits;
        limits.bytes = limits_.st_header_bytes;
        limits.depth = limits_.st_json_depth;
        auto index = out_->side_json("model.safetensors.index.json", limits);
        if (index) {
            shards(files, path, index->root(), mode);
        } else if (!out_->config_) {
            bool any = false;
            for (const char *name : {"tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json"})
                any = any || files.open_if_exists(memory_, join_path(memory_, path, name));
            if (!any) fail(Code::not_found, "folder ", quoted{path}, " holds no config.json, model.safetensors or tokenizer");
        }
        return finish();
    }

private:
    void shards(const FileSystem &files, std::string_view path, const Json &index, OpenMode mode) {
        constexpr std::string_view what = "model.safetensors.index.json";
        const Json *map = index.get("weight_map");
        if (!map || !map->is_object()) fail(Code::format, what, " has no object 'weight_map'");
        // Names are all looked at before any is opened.
        HashMap<std::string_view, uint32_t> ids{Alloc<std::pair<const std::string_view, uint32_t>>(memory_, MemTag::scratch)};
        Vector<std::string_view> names{Alloc<std::string_view>(memory_, MemTag::scratch)};
        for (const JsonMember &w : map->members()) {
            if (!w.value.is_string()) fail(Code::format, what, " gives tensor ", quoted{w.key}, " a shard that is not a string");
            auto [it, fresh] = ids.try_emplace(w.value.string(), static_cast<uint32_t>(names.size()));
            if (!fresh) continue;
            check_plain_name(w.value.string(), "shard name");
            if (names.size() >= limits_.st_shards) fail(Code::limit, what, " names more than ", limits_.st_shards, " shards");
            names.push_back(w.value.string());
        }
        for (std::string_view name : names) add_safetensors(files.open_named(memory_, path, name, mode));
        sort();
        for (const JsonMember &w : map->members()) {
            const TensorInfo *t = out_->find(w.key);
            uint32_t id = ids.find(w.value.string())->second;
            if (!t)
                fail(Code::format, "mismatch: ", what, " puts tensor ", quoted{w.key}, " in ", quoted{w.value.string()},
                     ", which does not hold it");
            if (t->source != id)
                fail(Code::format, "mismatch: ", what, " puts tensor ", quoted{w.key}, " in ", quoted{w.value.string()}, ", it is in ",
                     quoted{names[t->source]});
        }
        if (map->members().size() < out_->tensors_.size())
            log_.line(LogLevel::info, "the shards hold ", out_->tensors_.size(), " tensors, ", what, " names ", map->members().size());
    }

    void add_gguf(Owned<Source> source, Owned<Gguf> head) {
        uint32_t id = out_->n_sources();
        out_->tensors_.reserve((Checked(out_->tensors_.size()) + head->tensors().size()).size());
        for (const GgufTensor &g : head->tensors()) {
            TensorInfo t;
            t.name = g.name;
            t.dtype = g.type;
            t.dtype_name = dtype_name(g.type);
            t.n_dims = g.n_dims;
            t.elements = 1;
            Checked elements = 1;
            for (uint32_t i = 0; i < g.n_dims; ++i) {
                // raw: i < n_dims <= 4
                t.shape[i] = g.dims[g.n_dims - 1 - i];  // ne order runs fastest first
                elements *= t.shape[i];
            }
            t.elements = elements.value();
            t.source = id;
            t.offset = g.offset;
            t.bytes = g.bytes;
            out_->tensors_.push_back(t);
        }
        out_->sources_.push_back(std::move(source));
        out_->ggufs_.push_back(std::move(head));
    }

    void add_safetensors(Owned<Source> source) {
        read_safetensors(memory_, *source, out_->n_sources(), limits_, out_->names_, out_->tensors_);
        out_->sources_.push_back(std::move(source));
        if (out_->tensors_.size() > limits_.st_tensors) fail(Code::limit, "the shards hold more than ", limits_.st_tensors, " tensors");
    }

    // The order by name; a name in two parts is a mismatch.
    void sort() {
        auto &t = out_->tensors_;
        auto &index = out_->by_name_;
        if (index.size() == t.size()) return;
        index.resize(t.size());
        for (size_t i = 0; i < t.size(); ++i) index[i] = static_cast<uint32_t>(i);
        std::sort(index.begin(), index.end(), [&](uint32_t a, uint32_t b) { return t[a].name < t[b].name; });
        for (size_t i = 1; i < index.size(); ++i)
            // raw: i starts at 1
            if (t[index[i - 1]].name == t[index[i]].name)
                fail(Code::format, "mismatch: tensor ", quoted{t[index[i]].name}, " stands in two files of the checkpoint");
    }

    Owned<WeightsFile> finish() {
        sort();
        return std::move(out_);
    }

    Memory &memory_;
    const Limits &limits_;
    const Log &log_;
    Owned<WeightsFile> out_;
};

Owned<WeightsFile> open_checkpoint(const FileSystem &files, Memory &m, std::string_view path, const Limits &limits, const Log &log,
                                   OpenMode mode) {
    if (!path.ends_with(".gguf") && files.is_folder(m, path))
        return WeightsBuilder(m, WeightsFile::Kind::hf, limits, log).folder(files, path, mode);
    auto source = files.open(m, path, mode);
    return WeightsBuilder(m, WeightsFile::Kind::gguf, limits, log).gguf(&files, path, std::move(source), mode);
}

Owned<WeightsFile> open_gguf(Memory &m, Owned<Source> source, const Limits &limits, const Log &log) {
    return WeightsBuilder(m, WeightsFile::Kind::gguf, limits, log).gguf(nullptr, {}, std::move(source), OpenMode::read);
}

}  // namespace inlay::io
