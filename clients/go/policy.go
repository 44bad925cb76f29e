package touchstone

import (
	"time"
)

// DefaultMaxSkew is how far a timestamp may be ahead of the caller's clock unless the policy says otherwise.
const DefaultMaxSkew = 2 * time.Second

// VerifiedPrice is a price with everything that the group signed about it.
type VerifiedPrice struct {
	Feed Feed
	// Price is the lower median of the observations.
	Price Decimal
	// Low is not below the lowest honest observation, and High not above the highest.
	Low, High Decimal
	// Status has no bit, or bits that the policy allows.
	Status Status
	Round  uint64
	Epoch  uint32
	// TimestampMs is the round's time, in Unix milliseconds.
	TimestampMs uint64
	// ObservedAtMs is the time of the trades behind the price, in Unix milliseconds.
	ObservedAtMs uint64
	// Observers is how many members observed the feed.
	Observers uint16
}

// Bracket is proof that one update is the last that was shown at or before an instant; [VerifyAt] makes it.
//
// What remains are rounds between the two updates that exist and were not shown. Gap is 1 where there can be none, which a
// policy asks for unless its MaxGap says otherwise; a network that signed nothing for some rounds leaves an honest gap.
type Bracket struct {
	before    Statement
	gap       uint64
	instantMs uint64
}

// Gap is how many rounds the two updates are apart.
func (b Bracket) Gap() uint64 { return b.gap }

// InstantMs is the instant, in Unix milliseconds.
func (b Bracket) InstantMs() uint64 { return b.instantMs }

// VerifyAt checks that the updates stand around an instant (Unix milliseconds): the first at or before it, the second after it
// in time and in round.
func VerifyAt(before, after *VerifiedUpdate, instantMs uint64) (Bracket, error) {
	b, a := before.Statement(), after.Statement()
	if b.NetworkID != a.NetworkID || a.Round <= b.Round {
		return Bracket{}, refuse(KindPolicy, "no-pair",
			"the update before the instant and the one after it must be of one network and in order (rounds %d, %d)", b.Round, a.Round)
	}
	if instantMs < b.TimestampMs || instantMs >= a.TimestampMs {
		return Bracket{}, refuse(KindPolicy, "not-around",
			"%d does not lie from %d to before %d, the times of the two updates", instantMs, b.TimestampMs, a.TimestampMs)
	}
	return Bracket{b, a.Round - b.Round, instantMs}, nil
}

// Policy is the conditions under which a caller accepts a price.
//
// There is no policy without a statement about time: it begins with [Fresh] or [At], and the zero Policy lets nothing out.
// Everything else is strict until it is allowed. The methods return a changed copy.
type Policy struct {
	now           func() uint64
	maxAgeMs      uint64
	bracket       *Bracket
	maxGap        uint64
	newerThan     *uint64
	maxTradeAgeMs *uint64
	minObservers  uint16
	allowed       Status
	maxSkewMs     uint64
	invalid       string
}

// Fresh is a policy for now, by the system's clock at the time of each check: the round is at most maxAge old.
func Fresh(maxAge time.Duration) Policy {
	p := newPolicy()
	p.now = systemNow
	p.maxAgeMs = p.milliseconds("max age", maxAge)
	return p
}

// FreshAt is [Fresh] by a clock of the caller's.
func FreshAt(now time.Time, maxAge time.Duration) Policy {
	p := Fresh(maxAge)
	nowMs := now.UnixMilli()
	if nowMs < 0 {
		p.invalid = "now must not be before 1970"
	}
	p.now = func() uint64 { return uint64(nowMs) }
	return p
}

// At is a policy for the price at a past instant, of the update before it. See [VerifyAt].
func At(bracket Bracket) Policy {
	p := newPolicy()
	p.bracket = &bracket
	if bracket.gap == 0 {
		p.invalid = "a bracket is made by VerifyAt"
	}
	return p
}

func newPolicy() Policy {
	return Policy{maxGap: 1, maxSkewMs: uint64(DefaultMaxSkew.Milliseconds())}
}

func systemNow() uint64 { return uint64(time.Now().UnixMilli()) }

func (p *Policy) milliseconds(what string, d time.Duration) uint64 {
	if d < 0 {
		p.invalid = what + " must not be below 0"
	}
	return uint64(d.Milliseconds())
}

// MaxTradeAge refuses prices whose trades are older than this, counted from now or from the instant.
func (p Policy) MaxTradeAge(age time.Duration) Policy {
	ms := p.milliseconds("max trade age", age)
	p.maxTradeAgeMs = &ms
	return p
}

// MinObservers refuses prices that fewer members observed. By default the network's own bound, 2f + 1, is all there is.
func (p Policy) MinObservers(count uint16) Policy {
	p.minObservers = count
	return p
}

// AllowStatus accepts status bits by name, beside those allowed before. An unavailable feed has no price whatever is allowed.
func (p Policy) AllowStatus(status Status) Policy {
	p.allowed |= status
	return p
}

// MaxSkew is how far timestamps may be ahead of now, or the trades' of the instant.
func (p Policy) MaxSkew(skew time.Duration) Policy {
	p.maxSkewMs = p.milliseconds("max skew", skew)
	return p
}

// NewerThan refuses rounds that are not above the last one that the caller saw.
func (p Policy) NewerThan(lastSeen uint64) Policy {
	p.newerThan = &lastSeen
	return p
}

// MaxGap is how many rounds the updates around an instant may be apart; 1 by default. Whoever picks the pair can leave out any
// round that lies between them, so a larger gap gives a choice among as many prices.
func (p Policy) MaxGap(rounds uint64) Policy {
	p.maxGap = rounds
	return p
}

// Price is the feed's price, if the update satisfies the policy. The error is an [*Error] with the code of the first condition
// that it does not satisfy.
func (u *VerifiedUpdate) Price(feed Feed, policy Policy) (VerifiedPrice, error) {
	if err := feed.Check(); err != nil {
		return VerifiedPrice{}, err
	}
	l := u.leaf(feed)
	if l == nil {
		return VerifiedPrice{}, refuse(KindPolicy, "no-feed", "the update does not hold %s", feed)
	}
	if err := policy.check(u.Statement(), l); err != nil {
		return VerifiedPrice{}, err
	}
	return VerifiedPrice{
		Feed:         feed,
		Price:        Decimal{l.price, l.exponent},
		Low:          Decimal{l.low, l.exponent},
		High:         Decimal{l.high, l.exponent},
		Status:       l.status,
		Round:        u.Round(),
		Epoch:        u.Epoch(),
		TimestampMs:  u.TimestampMs(),
		ObservedAtMs: l.observedAtMs,
		Observers:    l.observers,
	}, nil
}

func (p Policy) check(s Statement, l *leaf) error {
	var referenceMs uint64
	switch {
	case p.invalid != "":
		return refuse(KindArgument, "invalid-argument", "policy: %s", p.invalid)
	case p.bracket != nil:
		referenceMs = p.bracket.instantMs
		if err := p.checkAt(s); err != nil {
			return err
		}
	case p.now != nil:
		referenceMs = p.now()
		if err := p.checkFresh(s, referenceMs); err != nil {
			return err
		}
	default:
		return refuse(KindArgument, "invalid-argument", "policy: begins with Fresh or At")
	}
	if p.newerThan != nil && s.Round <= *p.newerThan {
		return refuse(KindPolicy, "not-newer", "round %d is not newer than %d, the last one seen", s.Round, *p.newerThan)
	}
	return p.checkLeaf(l, referenceMs)
}

func (p Policy) checkFresh(s Statement, nowMs uint64) error {
	if err := p.checkAhead("the round's timestamp", s.TimestampMs, nowMs); err != nil {
		return err
	}
	if age := since(nowMs, s.TimestampMs); age > p.maxAgeMs {
		return refuse(KindPolicy, "too-old", "round %d is %d ms old, allowed are %d ms", s.Round, age, p.maxAgeMs)
	}
	return nil
}

func (p Policy) checkAt(s Statement) error {
	if s != p.bracket.before {
		return refuse(KindPolicy, "other-update",
			"round %d is not the update before the instant; ask round %d", s.Round, p.bracket.before.Round)
	}
	if p.bracket.gap > p.maxGap {
		return refuse(KindPolicy, "gap", "the updates around the instant are %d rounds apart, allowed are %d", p.bracket.gap, p.maxGap)
	}
	return nil
}

func (p Policy) checkLeaf(l *leaf, referenceMs uint64) error {
	if l.status&Unavailable != 0 {
		return refuse(KindPolicy, "unavailable", "%s has no price in this round (status %v)", l.feed, l.status)
	}
	if refused := l.status &^ p.allowed; !refused.OK() {
		return refuse(KindPolicy, "status", "%s is %v, which the policy does not allow", l.feed, refused)
	}
	if l.observers < p.minObservers {
		return refuse(KindPolicy, "too-few-observers", "%s has %d observers, asked for are %d", l.feed, l.observers, p.minObservers)
	}
	if err := p.checkAhead("the trades' timestamp", l.observedAtMs, referenceMs); err != nil {
		return err
	}
	if age := since(referenceMs, l.observedAtMs); p.maxTradeAgeMs != nil && age > *p.maxTradeAgeMs {
		return refuse(KindPolicy, "trade-too-old", "the trades behind %s are %d ms old, allowed are %d ms", l.feed, age, *p.maxTradeAgeMs)
	}
	return nil
}

func (p Policy) checkAhead(what string, timestampMs, referenceMs uint64) error {
	if ahead := since(timestampMs, referenceMs); ahead > p.maxSkewMs {
		return refuse(KindPolicy, "ahead-of-now", "%s is %d ms ahead of now, allowed are %d ms", what, ahead, p.maxSkewMs)
	}
	return nil
}

// since is later - earlier, or 0 if that is negative.
func since(later, earlier uint64) uint64 {
	if later < earlier {
		return 0
	}
	return later - earlier
}
