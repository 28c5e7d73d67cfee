// Writing JSON, for the rooms that are linked with json-glib; base itself is not. Used by one thread at a
// time.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/glib_pointer.h"

namespace saccade {

// A value after another, as json-glib's builder takes them; inside an object each is named first. Bytes of a
// text that are no UTF-8 are replaced.
class JsonText {
 public:
  JsonText() : builder_(json_builder_new_immutable()) {}

  JsonText &name(const char *name) { return json_builder_set_member_name(get(), name), *this; }
  JsonText &begin_object() { return json_builder_begin_object(get()), *this; }
  JsonText &end_object() { return json_builder_end_object(get()), *this; }
  JsonText &begin_array() { return json_builder_begin_array(get()), *this; }
  JsonText &end_array() { return json_builder_end_array(get()), *this; }
  JsonText &null() { return json_builder_add_null_value(get()), *this; }
  JsonText &flag(bool value) { return json_builder_add_boolean_value(get(), value), *this; }
  JsonText &number(std::int64_t value) { return json_builder_add_int_value(get(), value), *this; }
  JsonText &real(double value) { return json_builder_add_double_value(get(), value), *this; }
  JsonText &string(std::string_view value) {
    const CString valid(
        g_utf8_make_valid(value.empty() ? "" : value.data(), static_cast<gssize>(value.size())));
    return json_builder_add_string_value(get(), valid.get()), *this;
  }

  // Of the complete value, on one line.
  std::string text() const {
    JsonNode *root = json_builder_get_root(builder_.get());
    gsize length = 0;
    const ObjectPointer<JsonGenerator> generator(json_generator_new());
    json_generator_set_root(generator.get(), root);
    const CString written(json_generator_to_data(generator.get(), &length));
    json_node_unref(root);
    return {written.get(), length};
  }

 private:
  JsonBuilder *get() { return builder_.get(); }
  ObjectPointer<JsonBuilder> builder_;
};

}  // namespace saccade
