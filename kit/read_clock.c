/* Prints what the C library of a container says of time, so that an altered clock is measured and not assumed.
 *
 * Two readings, 20 ms apart by the monotonic clock, a line each: monotonic before, wall clock, monotonic after, in
 * nanoseconds. Each wall clock lies between two monotonic ones: whoever reads this knows how long it may have taken. */
#include <stdio.h>
#include <time.h>

static long long now(clockid_t which) {
    struct timespec at;
    clock_gettime(which, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(void) {
    const struct timespec pause = {0, 20000000};
    /* The first calls look symbols up and read the control file: their time is nobody's. */
    now(CLOCK_REALTIME);
    now(CLOCK_MONOTONIC);
    for (int reading = 0; reading < 2; reading++) {
        if (reading)
            nanosleep(&pause, NULL);
        long long before = now(CLOCK_MONOTONIC), wall = now(CLOCK_REALTIME), after = now(CLOCK_MONOTONIC);
        printf("%lld %lld %lld\n", before, wall, after);
    }
    return 0;
}
