package touchstone

import (
	"bytes"
	"strings"
)

const (
	feedBytes   = 32
	feedPartMax = 15
)

// Feed is the name of a feed: BASE-QUOTE, each part 1 to 15 of the characters A-Z, 0-9 and '.'.
type Feed string

// Check refuses a name that no feed can have.
func (f Feed) Check() error {
	base, quote, ok := strings.Cut(string(f), "-")
	if !ok || !isFeedPart(base) || !isFeedPart(quote) {
		return refuse(KindArgument, "invalid-feed-name",
			"%q: a feed name is BASE-QUOTE, each part 1 to %d of the characters A-Z, 0-9 and '.'", string(f), feedPartMax)
	}
	return nil
}

func isFeedPart(part string) bool {
	for _, c := range []byte(part) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return 1 <= len(part) && len(part) <= feedPartMax
}

func feedOfBytes(padded []byte) (Feed, bool) {
	feed := Feed(bytes.TrimRight(padded, "\x00"))
	return feed, feed.Check() == nil
}

// Status is the status bits of a price; no bit set means ok.
type Status uint8

// The status bits.
const (
	// Degraded: fewer sources or conversion anchors than the manifest asks for.
	Degraded Status = 1
	// Stale: the newest trade is older than the feed's bound.
	Stale Status = 2
	// Halted by governance.
	Halted Status = 4
	// Depegged: a conversion used a currency that is off its peg.
	Depegged Status = 8
	// MarketClosed: the feed's market is closed.
	MarketClosed Status = 16
	// Unavailable: no price, whatever a policy allows.
	Unavailable Status = 128

	statusKnown = Degraded | Stale | Halted | Depegged | MarketClosed | Unavailable
)

var statusNames = []struct {
	bit  Status
	name string
}{
	{Degraded, "degraded"},
	{Stale, "stale"},
	{Halted, "halted"},
	{Depegged, "depegged"},
	{MarketClosed, "market-closed"},
	{Unavailable, "unavailable"},
}

// ParseStatus returns the status with these bits, such as "stale" and "market-closed".
func ParseStatus(names ...string) (Status, error) {
	var status Status
next:
	for _, name := range names {
		for _, known := range statusNames {
			if known.name == name {
				status |= known.bit
				continue next
			}
		}
		return 0, refuse(KindArgument, "invalid-status", "unknown status %q", name)
	}
	return status, nil
}

// OK says whether no bit is set.
func (s Status) OK() bool { return s == 0 }

// String is the names of the bits that are set, or "ok".
func (s Status) String() string {
	if s.OK() {
		return "ok"
	}
	var names []string
	for _, known := range statusNames {
		if s&known.bit != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, "+")
}
