// Many WebSockets to one lounge on 127.0.0.1, from one thread: opens them, joins, speaks, counts.
//
//     load PORT TOKENS-FILE ROOMS LISTENERS FLIGHT SECONDS CHURN
//
// Each room, bench/0 and up, has LISTENERS sockets and one that speaks, and hears itself too. At most
// FLIGHT messages are on their way to somebody at once; with 0 nobody speaks. With CHURN 1 nobody
// speaks either: each socket joins, leaves and comes again until the time is over, one twice at least.
//
// Two lines of JSON come out: one when all sockets are live (whoever measures the server then looks
// at it, and sends a line when we may go on), one when the time is over and everybody has heard
// everything, or 20 seconds later.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_AT_ONCE = 64, OPEN_SECONDS = 60, DRAIN_SECONDS = 20, MARK_LETTERS = 16 };
enum { STEP_US = 100, STEPS = 200000 };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

typedef struct {
    int fd, room;
    enum { SHUT, GREETING, JOINING, LIVE, LEAVING } state;
    uint8_t *rest; // the beginning of a frame whose end has not come yet
    size_t kept;
} Guest;

static int port, rooms, listeners, flight, seconds, churn;
static Guest *guests;
static int guest_count, token_count, opening, epoll, troubles;
static char **tokens;
static uint8_t inbox[1 << 20];
static bool told;

static uint64_t opened, failed, lost, said, acked, refused, delivered, landed;
static uint64_t *heard;          // by room: how often its messages arrived
static uint32_t took[STEPS];     // how many deliveries took so many steps
static uint64_t longest_us, last_heard_us;

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void complain(Guest *guest, const char *what, const void *text, size_t size) {
    if (++troubles <= 3)
        fprintf(stderr, "load: socket %d: %s %.*s\n", (int)(guest - guests), what,
                (int)(size < 300 ? size : 300), (const char *)text);
}

// -- sending --------------------------------------------------------------------------------------

// A client's frames are masked (RFC 6455, 5.3); all zeros is a mask too, and changes nothing. The
// sockets block, so a frame goes out whole; if the peer is gone, reading will find out.
static void send_frame(Guest *guest, int opcode, const void *payload, size_t size) {
    uint8_t frame[2048] = {0x80 | opcode}, *at = frame + 1;
    *at++ = 0x80 | (size < 126 ? size : 126);
    if (size >= 126)
        *at++ = size >> 8, *at++ = size;
    memset(at, 0, 4);
    memcpy(at + 4, payload, size);
    send(guest->fd, frame, at + 4 + size - frame, MSG_NOSIGNAL);
}

// The moment goes along in letters: a long number might look like a patient's and be held.
static void say(Guest *guest) {
    uint64_t moment = now_us();
    char mark[MARK_LETTERS + 1] = {0};
    for (int i = MARK_LETTERS; i--; moment /= 10)
        mark[i] = 'a' + moment % 10;
    char text[1024];
    int size = snprintf(
        text, sizeof text,
        "{\"op\":\"say\",\"ref\":%lu,\"room\":\"bench/%d\",\"cid\":\"%s-%lu\",\"text\":\"@@%s The "
        "second troponin was flat and the trace is unchanged; she is comfortable now. Would you "
        "still keep her in overnight, or is a clinic visit this week enough? Renal function is "
        "normal.\"}",
        said + 1, guest->room, mark, said, mark);
    said++;
    send_frame(guest, TEXT, text, size);
}

// -- opening and losing ---------------------------------------------------------------------------

static void start(Guest *guest) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = guest};
    int one = 1;
    guest->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (guest->fd < 0 || connect(guest->fd, (void *)&server, sizeof server) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, guest->fd, &wanted))
        die("load: connect");
    setsockopt(guest->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char request[1024];
    int size = snprintf(request, sizeof request,
                        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: bG91bmdlLWJlbmNoLWxvYQ==\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        port, tokens[(guest - guests) % token_count]);
    send(guest->fd, request, size, MSG_NOSIGNAL);
    guest->state = GREETING;
    opening++;
}

static void arrive(Guest *guest) {
    guest->state = churn ? LEAVING : LIVE;
    opening--, opened++;
    if (churn)
        send_frame(guest, CLOSE, "\x03\xe8", 2);
}

static void lose(Guest *guest, const char *why) {
    close(guest->fd);
    if (guest->state == GREETING || guest->state == JOINING)
        opening--, failed++;
    else if (guest->state == LIVE)
        lost++;
    if (guest->state != LEAVING)
        complain(guest, why, "", 0);
    guest->state = SHUT, guest->kept = 0;
}

// -- hearing --------------------------------------------------------------------------------------

static void deliver(Guest *guest, const uint8_t *text, size_t size) {
    const uint8_t *mark = memmem(text, size, "@@", 2);
    if (!mark || text + size - mark < MARK_LETTERS + 2)
        return;
    uint64_t moment = 0;
    for (int i = 0; i < MARK_LETTERS; i++)
        moment = moment * 10 + (mark[2 + i] - 'a');
    last_heard_us = now_us();
    uint64_t us = last_heard_us - moment;
    took[us / STEP_US < STEPS ? us / STEP_US : STEPS - 1]++;
    longest_us = us > longest_us ? us : longest_us;
    delivered++;
    if (++heard[guest->room] % (listeners + 1) == 0)
        landed++; // as many arrivals as the room has sockets: one message more is with everybody
}

static bool is(const uint8_t *text, size_t size, const char *op) { // it stands near the beginning
    return memmem(text, size < 64 ? size : 64, op, strlen(op));
}

static void understand(Guest *guest, const uint8_t *text, size_t size) {
    if (is(text, size, "\"op\":\"event\"")) {
        deliver(guest, text, size);
    } else if (is(text, size, "\"op\":\"ok\"")) {
        acked += guest->state == LIVE; // before that it answers the join
    } else if (is(text, size, "\"op\":\"live\"") && guest->state == JOINING) {
        arrive(guest);
    } else if (is(text, size, "\"op\":\"error\"")) {
        refused++;
        complain(guest, "refused:", text, size);
    }
}

// Takes one whole frame from the beginning; returns its length, 0 when its end has not come yet.
static size_t take_frame(Guest *guest, const uint8_t *bytes, size_t size) {
    if (size < 2)
        return 0;
    uint64_t length = bytes[1] & 127;
    size_t head = length == 126 ? 4 : length == 127 ? 10 : 2;
    if (size < head)
        return 0;
    for (size_t i = 2; i < head; i++)
        length = (i == 2 ? 0 : length << 8) | bytes[i];
    if (size - head < length)
        return 0;
    if ((bytes[0] & 15) == TEXT)
        understand(guest, bytes + head, length);
    if ((bytes[0] & 15) == PING)
        send_frame(guest, PONG, bytes + head, length);
    if ((bytes[0] & 15) == CLOSE)
        lose(guest, "closed by the server");
    return head + length;
}

// Returns the length of the handshake's answer, 0 when its end has not come yet or it says no.
static size_t greet(Guest *guest, const uint8_t *bytes, size_t size) {
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (memcmp(bytes, "HTTP/1.1 101", 12)) {
        complain(guest, "not let in:", bytes, size);
        lose(guest, "gone");
        return 0;
    }
    guest->state = JOINING;
    char text[64];
    int length = snprintf(text, sizeof text, "{\"op\":\"join\",\"ref\":0,\"room\":\"bench/%d\"}",
                          guest->room);
    send_frame(guest, TEXT, text, length);
    return end + 4 - bytes;
}

static void hear(Guest *guest) {
    memcpy(inbox, guest->rest, guest->kept);
    ssize_t came = recv(guest->fd, inbox + guest->kept, sizeof inbox - guest->kept, MSG_DONTWAIT);
    if (came <= 0)
        return came < 0 && errno == EAGAIN ? (void)0 : lose(guest, "cut");
    size_t size = guest->kept + came, at = 0, used;
    if (guest->state != GREETING || (at = greet(guest, inbox, size)))
        while (guest->state != SHUT && (used = take_frame(guest, inbox + at, size - at)))
            at += used;
    guest->kept = guest->state == SHUT ? 0 : size - at;
    if (guest->kept && !(guest->rest = realloc(guest->rest, guest->kept)))
        die("load: memory");
    memcpy(guest->rest, inbox + at, guest->kept);
}

static void turn(void) {
    struct epoll_event ready[256];
    int count = epoll_wait(epoll, ready, 256, 20);
    for (int i = 0; i < count; i++) {
        Guest *guest = ready[i].data.ptr;
        if (!guest && (told = true, getchar() == EOF))
            exit(3); // whoever measured is gone
        if (guest && guest->state != SHUT)
            hear(guest);
    }
}

// -- the run --------------------------------------------------------------------------------------

static double quantile_ms(double share) {
    uint64_t seen = 0;
    for (int step = 0; step < STEPS; step++)
        if ((seen += took[step]) > delivered * share)
            return (step + 0.5) * STEP_US / 1000;
    return 0;
}

static void open_all(void) {
    uint64_t end = now_us() + OPEN_SECONDS * 1000000ull;
    int next = 0;
    while (opened + failed < (uint64_t)guest_count && now_us() < end) {
        while (next < guest_count && opening < OPENING_AT_ONCE)
            start(&guests[next++]);
        turn();
    }
}

static void work(void) {
    if (churn)
        for (int i = 0; i < guest_count; i++)
            if (guests[i].state == SHUT)
                start(&guests[i]);
    while (!failed && !lost && said - landed < (uint64_t)flight) // guest n speaks in room n
        say(&guests[said % rooms]);
}

// Whoever comes and goes comes twice at least, however slow the machine.
static bool lingers(uint64_t end) {
    bool again = opened > (uint64_t)guest_count;
    return churn && !again && !failed && now_us() < end + DRAIN_SECONDS * 1000000ull;
}

static void run(void) {
    uint64_t begun = last_heard_us = now_us(), end = begun + seconds * 1000000ull;
    while (now_us() < end || lingers(end)) {
        work();
        turn();
    }
    while ((opening || acked + refused < said || landed + refused < said) &&
           now_us() < end + DRAIN_SECONDS * 1000000ull)
        turn();
    printf("{\"opened\":%lu,\"failed\":%lu,\"lost\":%lu,\"said\":%lu,\"acked\":%lu,\"refused\":%lu,"
           "\"delivered\":%lu,\"seconds\":%.3f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           opened, failed, lost, said, acked, refused, delivered,
           (flight ? last_heard_us - begun : now_us() - begun) / 1e6, quantile_ms(.5),
           quantile_ms(.99), longest_us / 1000.0);
}

static void read_tokens(const char *name) {
    FILE *file = fopen(name, "r");
    char line[256];
    while (file && fscanf(file, "%255s", line) == 1) {
        tokens = realloc(tokens, ++token_count * sizeof *tokens);
        tokens[token_count - 1] = strdup(line);
    }
    if (!token_count)
        die("load: no tokens");
}

int main(int count, char **given) {
    if (count != 8)
        exit((fputs("load PORT TOKENS-FILE ROOMS LISTENERS FLIGHT SECONDS CHURN\n", stderr), 2));
    int *numbers[] = {&port, NULL, &rooms, &listeners, &flight, &seconds, &churn};
    for (int i = 0; i < 7; i++)
        if (numbers[i])
            *numbers[i] = atoi(given[i + 1]);
    read_tokens(given[2]);
    alarm(OPEN_SECONDS + DRAIN_SECONDS + seconds + 30); // whatever happens, it ends
    setvbuf(stdout, NULL, _IOLBF, 0);
    epoll = epoll_create1(0);
    guest_count = rooms * (listeners + 1);
    guests = calloc(guest_count, sizeof *guests);
    heard = calloc(rooms, sizeof *heard);
    for (int i = 0; i < guest_count; i++)
        guests[i].room = i % rooms;
    if (!churn)
        open_all();
    printf("{\"opened\":%lu,\"failed\":%lu}\n", opened, failed);
    struct epoll_event word = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &word);
    while (!told)
        turn();
    epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    run();
    return 0;
}
