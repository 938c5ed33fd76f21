// The one C++ file: parse with toml++, copy into a tree of C structs. No exception leaves it.
#include "daemon/toml.h"

extern "C" {
#include "base/alloc.h"
#include "base/span.h"
}

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <toml++/toml.h>
#include <vector>

namespace
{

struct zero_byte {
    toml::source_position at;
};

char *copy_text(std::string_view text)
{
    char *copy = hy_strndup(text.data(), text.size());

    if (copy == nullptr)
        throw std::bad_alloc();
    return copy;
}

// What is not null is freed by the tree's destroy, also when this throws half way.
void copy_node(const toml::node &from, hy_toml_node &into);

void make_children(hy_toml_node &into, size_t count)
{
    into.children = static_cast<hy_toml_node *>(hy_alloc_array(count, sizeof(hy_toml_node)));
    if (into.children == nullptr)
        throw std::bad_alloc();
    into.count = count;
}

bool is_before(const toml::source_position &a, const toml::source_position &b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void copy_table(const toml::table &table, hy_toml_node &into)
{
    std::vector<std::pair<const toml::key *, const toml::node *>> entries;

    for (auto &&[key, value] : table)
        entries.emplace_back(&key, &value);
    std::stable_sort(entries.begin(), entries.end(), [](const auto &a, const auto &b) {
        return is_before(a.first->source().begin, b.first->source().begin);
    });
    make_children(into, entries.size());
    for (size_t i = 0; i < entries.size(); i++) {
        const toml::key &key = *entries[i].first;

        if (key.str().find('\0') != std::string_view::npos)
            throw zero_byte{ key.source().begin };
        into.children[i].key = copy_text(key.str());
        copy_node(*entries[i].second, into.children[i]);
        into.children[i].line = key.source().begin.line;
        into.children[i].column = key.source().begin.column;
    }
}

void copy_node(const toml::node &from, hy_toml_node &into)
{
    into.line = into.value_line = from.source().begin.line;
    into.column = into.value_column = from.source().begin.column;
    switch (from.type()) {
    case toml::node_type::table:
        into.kind = HY_TOML_TABLE;
        copy_table(*from.as_table(), into);
        break;
    case toml::node_type::array: {
        const toml::array &array = *from.as_array();

        into.kind = HY_TOML_ARRAY;
        make_children(into, array.size());
        for (size_t i = 0; i < array.size(); i++)
            copy_node(array[i], into.children[i]);
        break;
    }
    case toml::node_type::string: {
        std::string_view text = from.as_string()->get();

        if (text.find('\0') != std::string_view::npos)
            throw zero_byte{ from.source().begin };
        into.kind = HY_TOML_STRING;
        into.text = copy_text(text);
        break;
    }
    case toml::node_type::integer:
        into.kind = HY_TOML_INTEGER;
        into.integer = from.as_integer()->get();
        break;
    case toml::node_type::floating_point:
        into.kind = HY_TOML_FLOAT;
        into.real = from.as_floating_point()->get();
        break;
    case toml::node_type::boolean:
        into.kind = HY_TOML_BOOLEAN;
        into.boolean = from.as_boolean()->get();
        break;
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
    case toml::node_type::none:
        into.kind = HY_TOML_TIME;
        break;
    }
}

void fini_node(hy_toml_node &node)
{
    for (size_t i = 0; i < node.count; i++)
        fini_node(node.children[i]);
    hy_free(node.children);
    hy_free(node.text);
    hy_free(node.key);
}

void tell(hy_toml_problem *problem, const toml::source_position &at, std::string_view text)
{
    problem->line = at.line;
    problem->column = at.column;
    /* It quotes what stands in the file, line ends too. */
    (void)hy_span_escape(hy_span(text.data(), text.size()), problem->text, sizeof problem->text);
}

} // namespace

extern "C" enum hypha_err hy_toml_parse(const char *text, size_t len,
    struct hy_toml_node **ret_root, struct hy_toml_problem *ret_problem)
{
    auto *root = static_cast<hy_toml_node *>(hy_alloc(sizeof(hy_toml_node)));
    enum hypha_err err = HYPHA_ERR_MALFORMED;

    if (root == nullptr)
        return HYPHA_ERR_NOMEM;
    try {
        toml::table table = toml::parse(std::string_view(text, len));

        copy_node(table, *root);
        *ret_root = root;
        return HYPHA_OK;
    } catch (const toml::parse_error &problem) {
        tell(ret_problem, problem.source().begin, problem.description());
    } catch (const zero_byte &problem) {
        tell(ret_problem, problem.at, "a zero byte in a text");
    } catch (...) {
        err = HYPHA_ERR_NOMEM;
    }
    hy_toml_destroy(root);
    return err;
}

extern "C" void hy_toml_destroy(struct hy_toml_node *root)
{
    if (root == nullptr)
        return;
    fini_node(*root);
    hy_free(root);
}

extern "C" const char *hy_toml_kind_name(enum hy_toml_kind kind)
{
    switch (kind) {
    case HY_TOML_TABLE:
        return "a table";
    case HY_TOML_ARRAY:
        return "a list";
    case HY_TOML_STRING:
        return "a string";
    case HY_TOML_INTEGER:
        return "an integer";
    case HY_TOML_FLOAT:
        return "a number with a fraction";
    case HY_TOML_BOOLEAN:
        return "true or false";
    case HY_TOML_TIME:
        break;
    }
    return "a date or time";
}
