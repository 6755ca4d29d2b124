// Stands in for libFuzzer's main: each file of the folders given, as it is and in fixed mutations.
// The same on every run.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutations = 200;  // of each file

class Numbers {  // a linear congruential generator: no seed but the one given
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t limit) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return limit == 0 ? 0 : static_cast<std::size_t>(state_ >> 33) % limit;
  }

 private:
  std::uint64_t state_;
};

std::string mutate(std::string text, const std::string& other, Numbers& numbers) {
  for (std::size_t times = 1 + numbers.below(4); times > 0; --times) {
    const std::size_t at = numbers.below(text.size() + 1);
    switch (numbers.below(6)) {
      case 0:
        text.resize(at);
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(numbers.below(256));
        break;
      case 2:
        text.insert(at, other.substr(numbers.below(other.size() + 1), numbers.below(200)));
        break;
      case 3:
        text.erase(at, numbers.below(30));
        break;
      case 4:
        text.insert(at, std::string(1 + numbers.below(100), "[{:-&*|\"'\n "[numbers.below(12)]));
        break;
      default:
        text.insert(at, text.substr(numbers.below(text.size() + 1), numbers.below(100)));
    }
  }
  return text;
}

void run(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
      if (entry.is_regular_file()) files.insert(entry.path());
  std::vector<std::string> texts;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    texts.push_back(text.str());
  }
  if (texts.empty()) {
    std::fprintf(stderr, "no corpus\n");
    return 1;
  }
  Numbers numbers(20261121);
  std::size_t runs = 0;
  for (const auto& text : texts) {
    run(text);
    ++runs;
    for (int i = 0; i < kMutations; ++i, ++runs)
      run(mutate(text, texts[numbers.below(texts.size())], numbers));
  }
  std::printf("%zu inputs from %zu files\n", runs, texts.size());
  return 0;
}
