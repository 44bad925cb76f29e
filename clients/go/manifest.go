package touchstone

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
)

const (
	membersMax    = 128
	feedsMax      = 1_000
	sourcesMax    = 64
	nameMax       = 64
	addressMax    = 255
	intervalMin   = 50
	intervalMax   = 86_400_000
	exactMax      = 1 << 53
	outlierPpmMax = 999_999
)

// manifest is a manifest of the right form; tree is its normal form.
type manifest struct {
	tree     map[string]any
	network  string
	epoch    int64
	previous *[32]byte
	f        int64
	suites   []Suite
	members  []member
	feeds    []feedSpec
}

type member struct {
	identity []byte
	address  string
}

type market struct {
	source string
	pair   Feed
}

type feedSpec struct {
	name       Feed
	sources    []market
	minSources int64
}

// hash is by what everybody refers to a manifest. At genesis it is the network id.
func (m *manifest) hash() [32]byte {
	return sha256.Sum256(append([]byte("touchstone/man/1"), canonicalJSON(m.tree)...))
}

// readManifest reads every member; what one may hold by itself is checked here, and the rest by check.
func readManifest(o *object) *manifest {
	o.setDefault("previous", nil)
	m := &manifest{
		tree:    o.members,
		network: o.text("network"),
		epoch:   o.integer("epoch", 0, math.MaxUint32),
		f:       o.integer("f", 0, math.MaxUint16),
		suites:  readSuites(o),
	}
	if o.member("previous") != nil {
		m.previous = new([32]byte)
		copy(m.previous[:], o.hexadecimal("previous", 32))
	}
	o.integer("interval_ms", intervalMin, intervalMax)
	o.integer("first_round", 0, exactMax)
	o.integer("first_round_at_ms", 0, exactMax)
	for i, item := range o.objects("members") {
		item.integer("id", int64(i), int64(i))
		m.members = append(m.members, member{item.hexadecimal("identity", 32), item.text("address")})
		item.finish()
	}
	for _, item := range o.objects("feeds") {
		m.feeds = append(m.feeds, readFeedSpec(item))
	}
	o.finish()
	return m
}

func readSuites(o *object) []Suite {
	var suites []Suite
	for _, item := range o.list("suites") {
		name, _ := item.(string)
		suites = append(suites, o.suite("suites", name))
	}
	return suites
}

func (o *object) suite(name, value string) Suite {
	suite, err := ParseSuite(value)
	if err != nil {
		o.fail(name, "must be a known suite")
	}
	return suite
}

func (o *object) feed(name string) Feed {
	feed := Feed(o.text(name))
	if feed.Check() != nil {
		o.fail(name, "must be a feed name")
	}
	return feed
}

func readFeedSpec(o *object) feedSpec {
	spec := feedSpec{name: o.feed("name"), minSources: o.integer("min_sources", 1, sourcesMax)}
	o.integer("exponent", -exponentMax, exponentMax)
	o.integer("max_quote_age_ms", 1, exactMax)
	o.integer("outlier_mads_milli", 0, math.MaxUint32)
	o.integer("outlier_floor_ppm", 0, outlierPpmMax)
	for _, item := range o.objects("sources") {
		spec.sources = append(spec.sources, market{item.text("source"), item.feed("pair")})
		item.finish()
	}
	o.finish()
	return spec
}

// check refuses a manifest that cannot be in force.
func (m *manifest) check() error {
	if !between(1, len(m.network), nameMax) {
		return fmt.Errorf("network: must have 1 to %d bytes", nameMax)
	}
	if (m.previous == nil) != (m.epoch == 0) {
		return fmt.Errorf("previous: must be null at epoch 0 and a hash afterwards")
	}
	if len(m.suites) == 0 {
		return fmt.Errorf("suites: must name at least one suite")
	}
	for i := 1; i < len(m.suites); i++ {
		if m.suites[i-1] >= m.suites[i] {
			return fmt.Errorf("suites: must be in ascending order, each once")
		}
	}
	if err := m.checkMembers(); err != nil {
		return err
	}
	if !between(1, len(m.feeds), feedsMax) {
		return fmt.Errorf("feeds: must be 1 to %d", feedsMax)
	}
	names := map[Feed]bool{}
	for i, feed := range m.feeds {
		if i > 0 && m.feeds[i-1].name >= feed.name {
			return fmt.Errorf("feeds: must be sorted by name, each once")
		}
		names[feed.name] = true
	}
	for _, feed := range m.feeds {
		if err := feed.check(names); err != nil {
			return fmt.Errorf("feeds[%s].%w", feed.name, err)
		}
	}
	return nil
}

func (m *manifest) checkMembers() error {
	n := len(m.members)
	if !between(1, n, membersMax) {
		return fmt.Errorf("members: n (%d) must be from 1 to %d", n, membersMax)
	}
	if 3*m.f+1 > int64(n) {
		return fmt.Errorf("members: f (%d) must be at most %d where n is %d", m.f, (n-1)/3, n)
	}
	seen := map[string]bool{}
	for i, member := range m.members {
		if len(member.address) > addressMax || !strings.Contains(member.address, ":") {
			return fmt.Errorf("members[%d].address: must be host:port of at most %d bytes", i, addressMax)
		}
		if seen[string(member.identity)] {
			return fmt.Errorf("members[%d].identity: is another member's", i)
		}
		seen[string(member.identity)] = true
	}
	return nil
}

func (f feedSpec) check(names map[Feed]bool) error {
	if !between(1, len(f.sources), sourcesMax) {
		return fmt.Errorf("sources: must be 1 to %d", sourcesMax)
	}
	if f.minSources > int64(len(f.sources)) {
		return fmt.Errorf("min_sources: must be from 1 to the number of sources, %d", len(f.sources))
	}
	base, quote, _ := strings.Cut(string(f.name), "-")
	seen := map[market]bool{}
	for _, market := range f.sources {
		marketBase, marketQuote, _ := strings.Cut(string(market.pair), "-")
		by := Feed(marketQuote + "-" + quote)
		switch {
		case seen[market]:
			return fmt.Errorf("sources: %s %s is listed twice", market.source, market.pair)
		case !between(1, len(market.source), nameMax):
			return fmt.Errorf("sources: a source must have 1 to %d bytes", nameMax)
		case marketBase != base:
			return fmt.Errorf("sources: %s must be a market of %s", market.pair, base)
		case marketQuote != quote && (by == f.name || !names[by]):
			return fmt.Errorf("sources: %s needs the feed %s for its conversion", market.pair, by)
		}
		seen[market] = true
	}
	return nil
}

func between(low, value, high int) bool { return low <= value && value <= high }
