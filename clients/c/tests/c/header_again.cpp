// The header in a second file of the same program.
#include "touchstone.h"
#include "touchstone.h"

touchstone_policy policy_of_another_file(uint64_t now_ms);

touchstone_policy policy_of_another_file(uint64_t now_ms)
{
    return touchstone_policy_fresh(now_ms, 10000);
}
