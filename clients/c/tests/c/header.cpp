// The header in C++17: with a handle that frees itself. header NETWORK UPDATE prints a price.
#include "touchstone.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

static_assert(std::is_standard_layout_v<touchstone_policy> && std::is_trivially_copyable_v<touchstone_policy>);
static_assert(std::is_standard_layout_v<touchstone_price> && std::is_trivially_copyable_v<touchstone_price>);

touchstone_policy policy_of_another_file(std::uint64_t now_ms);

namespace {

struct free_verifier {
    void operator()(touchstone_verifier *verifier) const { touchstone_verifier_free(verifier); }
};
using verifier = std::unique_ptr<touchstone_verifier, free_verifier>;

std::vector<std::uint8_t> read(const char *path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

} // namespace

int main(int, char **argv)
{
    const auto pin = read(argv[1]), update = read(argv[2]);
    touchstone_verifier *raw = nullptr;
    if (touchstone_verifier_from_pin(pin.data(), pin.size(), &raw) != TOUCHSTONE_OK)
        return 1;
    const verifier network(raw);
    const auto policy = policy_of_another_file(1790000001000);
    const std::string_view feed = "BTC-USD";
    touchstone_price price;
    char text[TOUCHSTONE_DECIMAL_TEXT_MAX];
    if (touchstone_verify(network.get(), update.data(), update.size(), feed.data(), feed.size(), &policy, &price))
        return 2;
    if (touchstone_decimal_text(&price.price, price.exponent, text, sizeof text))
        return 3;
    std::puts(text);
}
