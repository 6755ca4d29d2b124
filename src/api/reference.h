// The reference pages, made from the same tables that the program runs by. A test compares them
// with what is in docs/reference.
#pragma once

#include <string>

namespace api {

std::string fields_page();      // every field, where it has an effect
std::string conditions_page();  // every condition
std::string versions_page();    // which etcd versions may run and follow each other, known faults
std::string options_page();     // every flag of etcd and who may set it

}  // namespace api
