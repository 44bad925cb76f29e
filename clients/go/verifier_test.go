package touchstone

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"touchstone/clients/go/internal/testnet"
)

var (
	testNow    = time.UnixMilli(testnet.Now)
	secpSecret = big.NewInt(123456789)
	pinned     = must(NewVerifier(testnet.NetworkID, testKeys()...))
)

func testKeys() []GroupKey {
	return []GroupKey{
		must(NewGroupKey(Ed25519, testnet.Group.Public().(ed25519.PublicKey))),
		must(NewGroupKey(Secp256k1Keccak, secpTimes(secpSecret).compressed())),
	}
}

func inSuite(u testnet.Update, suite Suite) testnet.Update {
	if u.Suite = byte(suite); suite == Secp256k1Keccak {
		u.Sign = func(digest []byte) []byte { return schnorr(secpSecret, digest, 4711) }
	}
	return u
}

func verifyCode(data []byte) string {
	_, err := pinned.Verify(data)
	return Code(err)
}

func priceCode(u testnet.Update, policy Policy) string {
	_, err := must(pinned.Verify(u.Bytes())).Price("BTC-USD", policy)
	return Code(err)
}

func bySuite(t *testing.T, run func(*testing.T, Suite)) {
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		t.Run(suite.String(), func(t *testing.T) { run(t, suite) })
	}
}

func TestBothSuitesVerify(t *testing.T) {
	bySuite(t, func(t *testing.T, suite Suite) {
		update := must(pinned.Verify(inSuite(testnet.NewUpdate(), suite).Bytes()))
		price := must(update.Price("BTC-USD", FreshAt(testNow, 0)))
		if update.Suite() != suite || price.Price.String() != "67000.00000000" {
			t.Errorf("%v, %v", update.Suite(), price.Price)
		}
		for _, key := range testKeys() {
			_, err := must(NewVerifier(testnet.NetworkID, key)).Verify(update.Bytes())
			if want := map[bool]string{false: "unsupported-suite"}[key.Suite() == suite]; Code(err) != want {
				t.Errorf("key of %v: %v", key.Suite(), err)
			}
		}
	})
}

func TestEveryShorterAndLongerInputIsRefused(t *testing.T) {
	bySuite(t, func(t *testing.T, suite Suite) {
		leaves := []testnet.Leaf{testnet.NewLeaf("A-USD", 1), testnet.NewLeaf("B-USD", 2), testnet.NewLeaf("C-USD", 3)}
		data := inSuite(testnet.NewUpdate(leaves...), suite).Bytes()
		for end := range data {
			if code := verifyCode(data[:end]); code != "truncated" {
				t.Errorf("%d bytes: %q", end, code)
			}
		}
		for _, extra := range [][]byte{{0}, {255}, data} {
			if code := verifyCode(append(data[:len(data):len(data)], extra...)); code != "trailing-bytes" {
				t.Errorf("%d more bytes: %q", len(extra), code)
			}
		}
	})
}

func TestABytePutInOrTakenOutAnywhereIsRefused(t *testing.T) {
	data := testnet.NewUpdate().Bytes()
	for at := range data {
		longer := append(append(append([]byte(nil), data[:at]...), 0), data[at:]...)
		shorter := append(append([]byte(nil), data[:at]...), data[at+1:]...)
		if verifyCode(longer) == "" || verifyCode(shorter) == "" {
			t.Errorf("at byte %d", at)
		}
	}
}

func TestNoBitCanBeChanged(t *testing.T) {
	data := testnet.NewUpdate(testnet.NewLeaf("A-USD", 1), testnet.NewLeaf("B-USD", 2)).Bytes()
	for bit := 0; bit < len(data)*8; bit++ {
		data[bit/8] ^= 1 << (bit % 8)
		if verifyCode(data) == "" {
			t.Errorf("bit %d", bit)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	random := rand.New(rand.NewSource(3))
	for i := 0; i < 2_000; i++ {
		changed := append([]byte(nil), data...)
		for flips := 1 + random.Intn(8); flips > 0; flips-- {
			changed[random.Intn(len(data))] ^= byte(1 + random.Intn(255))
		}
		if string(changed) != string(data) && verifyCode(changed) == "" {
			t.Errorf("%x passes", changed)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		f.Add(inSuite(testnet.NewUpdate(), suite).Bytes())
	}
	f.Add([]byte{1, 2})
	good := map[string]bool{}
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		good[string(inSuite(testnet.NewUpdate(), suite).Bytes())] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if code := verifyCode(data); (code == "") != good[string(data)] {
			t.Errorf("%x: %q", data, code)
		}
	})
}

func TestEveryLeafOfEveryTreeIsFound(t *testing.T) {
	for size := 1; size <= 40; size++ {
		var leaves []testnet.Leaf
		for i := 0; i < size; i++ {
			leaves = append(leaves, testnet.NewLeaf(fmt.Sprintf("F%d-USD", i), int64(i)))
		}
		update, err := pinned.Verify(testnet.NewUpdate(leaves...).Bytes())
		if err != nil {
			t.Fatalf("%d leaves: %v", size, err)
		}
		for i := range leaves {
			price := must(update.Price(Feed(leaves[i].Feed), FreshAt(testNow, 0)))
			if price.Price.Mantissa().Int64() != int64(i) {
				t.Errorf("leaf %d of %d: %v", i, size, price.Price)
			}
		}
	}
}

func TestPathsOfAnotherLengthAreRefused(t *testing.T) {
	leaf, sibling := leafHash([]byte{1}), leafHash([]byte{2})
	root := nodeHash(leaf, sibling)
	for _, c := range []struct {
		index, size uint16
		path        [][32]byte
		want        bool
	}{
		{0, 2, [][32]byte{sibling}, true},
		{0, 1, [][32]byte{sibling}, false},
		{0, 3, [][32]byte{sibling}, false},
		{0, 2, nil, false},
		{2, 2, [][32]byte{sibling}, false},
		{0, 0, nil, false},
	} {
		if got := included(leaf, c.index, c.size, c.path, root); got != c.want {
			t.Errorf("index %d of %d, %d hashes: %v", c.index, c.size, len(c.path), got)
		}
	}
}

func TestAFreshPriceIsNeverOlderOrFurtherAheadThanStated(t *testing.T) {
	holds := func(timestamp, traded, now, maxAge, maxTradeAge, skew uint16) bool {
		ms := func(n uint16) time.Duration { return time.Duration(n) * time.Millisecond }
		leaf := testnet.NewLeaf("BTC-USD", 7)
		leaf.ObservedAtMs = uint64(traded)
		update := testnet.NewUpdate(leaf)
		update.TimestampMs = uint64(timestamp)
		policy := FreshAt(time.UnixMilli(int64(now)), ms(maxAge)).MaxTradeAge(ms(maxTradeAge)).MaxSkew(ms(skew))
		want := int(timestamp) <= int(now)+int(skew) && int(now) <= int(timestamp)+int(maxAge) &&
			int(traded) <= int(now)+int(skew) && int(now) <= int(traded)+int(maxTradeAge)
		return (priceCode(update, policy) == "") == want
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 1_000}); err != nil {
		t.Error(err)
	}
}

func TestOnlyStatusesThatAreAllowedByNamePass(t *testing.T) {
	for bits := 0; bits < 32; bits++ {
		leaf := testnet.NewLeaf("BTC-USD", 7)
		leaf.Status = byte(bits)
		update := testnet.NewUpdate(leaf)
		for allowed := 0; allowed < 32; allowed++ {
			got := priceCode(update, FreshAt(testNow, 0).AllowStatus(Status(allowed)))
			if want := map[bool]string{false: "status"}[bits&^allowed == 0]; got != want {
				t.Errorf("status %v, allowed %v: %q", Status(bits), Status(allowed), got)
			}
		}
		if bits == 0 {
			continue
		}
		if parsed := must(ParseStatus(strings.Split(Status(bits).String(), "+")...)); parsed != Status(bits) {
			t.Errorf("%v is read as %v", Status(bits), parsed)
		}
	}
}

func TestAPairStandsAroundItsInstant(t *testing.T) {
	verified := func(round, timestamp int) *VerifiedUpdate {
		update := testnet.NewUpdate()
		update.Leaves[0].ObservedAtMs, update.Round, update.TimestampMs = 0, uint64(round), uint64(timestamp)
		return must(pinned.Verify(update.Bytes()))
	}
	var updates [4][4]*VerifiedUpdate
	for round := range updates {
		for timestamp := range updates[round] {
			updates[round][timestamp] = verified(round, timestamp)
		}
	}
	for i := 0; i < 4*4*4*4*4; i++ {
		r1, r2, t1, t2, instant := i%4, i/4%4, i/16%4, i/64%4, i/256
		before, after := updates[r1][t1], updates[r2][t2]
		bracket, err := VerifyAt(before, after, uint64(instant))
		if around := r1 < r2 && t1 <= instant && instant < t2; (err == nil) != around {
			t.Errorf("rounds %d, %d, times %d, %d, instant %d: %v", r1, r2, t1, t2, instant, err)
		}
		if err != nil {
			continue
		}
		for gap := uint64(0); gap < 4; gap++ {
			_, err := before.Price("BTC-USD", At(bracket).MaxGap(gap))
			if (err == nil) != (bracket.Gap() <= gap) {
				t.Errorf("gap %d of %d: %v", bracket.Gap(), gap, err)
			}
			// Another update of the same round is not the one that stands before the instant.
			other := testnet.NewUpdate(testnet.NewLeaf("BTC-USD", 1))
			other.Round, other.TimestampMs = uint64(r1), uint64(t1)
			if _, err := must(pinned.Verify(other.Bytes())).Price("BTC-USD", At(bracket).MaxGap(gap)); Code(err) != "other-update" {
				t.Error(err)
			}
			// The update after the instant is a witness only.
			if _, err := after.Price("BTC-USD", At(bracket).MaxGap(gap)); Code(err) != "other-update" {
				t.Error(err)
			}
		}
	}
}

func TestAPairIsOfOneNetwork(t *testing.T) {
	other := testnet.NewUpdate()
	other.NetworkID, other.Round, other.TimestampMs = [32]byte{8}, testnet.Round+1, testnet.Now+1
	after := must(must(NewVerifier(other.NetworkID, testKeys()...)).Verify(other.Bytes()))
	_, err := VerifyAt(must(pinned.Verify(testnet.NewUpdate().Bytes())), after, testnet.Now)
	if Code(err) != "no-pair" {
		t.Error(err)
	}
}

func TestOfAFeedThatIsSignedTwiceTheFirstLeafCounts(t *testing.T) {
	update := must(pinned.Verify(testnet.NewUpdate(testnet.NewLeaf("BTC-USD", 1), testnet.NewLeaf("BTC-USD", 2)).Bytes()))
	if price := must(update.Price("BTC-USD", FreshAt(testNow, 0))); price.Price.Mantissa().Int64() != 1 {
		t.Error(price.Price)
	}
}

func TestRoundsThatWereSeenAreRefused(t *testing.T) {
	for last, want := range map[uint64]string{testnet.Round - 1: "", testnet.Round: "not-newer", testnet.Round + 1: "not-newer"} {
		if got := priceCode(testnet.NewUpdate(), FreshAt(testNow, 0).NewerThan(last)); got != want {
			t.Errorf("last %d: %q", last, got)
		}
	}
}

func TestWhatIsNoPolicyLetsNothingOut(t *testing.T) {
	for name, policy := range map[string]Policy{
		"zero":               {},
		"negative age":       Fresh(-1),
		"negative skew":      FreshAt(testNow, 0).MaxSkew(-1),
		"negative trade age": FreshAt(testNow, 0).MaxTradeAge(-1),
		"before 1970":        FreshAt(time.UnixMilli(-1), math.MaxInt64),
		"zero bracket":       At(Bracket{}),
	} {
		if code := priceCode(testnet.NewUpdate(), policy); code != "invalid-argument" {
			t.Errorf("%s: %q", name, code)
		}
	}
	if code := priceCode(testnet.NewUpdate(), Fresh(10*time.Second)); code != "too-old" {
		t.Errorf("by the system's clock: %q", code)
	}
}

func TestAnUpdateShowsNoNumber(t *testing.T) {
	update := must(pinned.Verify(testnet.NewUpdate(testnet.NewLeaf("BTC-USD", 987654321)).Bytes()))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, value := range []any{update, *update} {
			text := fmt.Sprintf(format, value)
			if !strings.Contains(text, "BTC-USD") || strings.Contains(text, "987654321") || strings.Contains(text, "3ade68b1") {
				t.Errorf("%s: %s", format, text)
			}
		}
	}
}

func TestWhatIsHandedOutCannotChangeWhatWasVerified(t *testing.T) {
	data := testnet.NewUpdate().Bytes()
	update := must(pinned.Verify(data))
	for i := range data {
		data[i] = 0
	}
	copied := update.Bytes()
	copied[0] = 9
	price := must(update.Price("BTC-USD", FreshAt(testNow, 0)))
	price.Price.Mantissa().SetInt64(1)
	again := must(update.Price("BTC-USD", FreshAt(testNow, 0)))
	if again.Price.Mantissa().Int64() != testnet.Price || verifyCode(update.Bytes()) != "" {
		t.Error("changed")
	}
}

func TestArgumentsThatNobodyMayGive(t *testing.T) {
	update := must(pinned.Verify(testnet.NewUpdate().Bytes()))
	for _, feed := range []Feed{"", "btc-usd", "BTC", "BTC-", "-USD", "A-B-C", "BTC-USD\x00", "ABCDEFGHIJKLMNOP-USD", "BTC_USD"} {
		if _, err := update.Price(feed, FreshAt(testNow, 0)); Code(err) != "invalid-feed-name" {
			t.Errorf("%q: %v", feed, err)
		}
		if _, ok := update.Status(feed); ok {
			t.Errorf("%q has a status", feed)
		}
	}
	if _, err := update.Price("ETH-USD", FreshAt(testNow, 0)); Code(err) != "no-feed" {
		t.Error(err)
	}
	for _, try := range []func() error{
		func() error { _, err := NewVerifier(testnet.NetworkID); return err },
		func() error { _, err := NewVerifier(testnet.NetworkID, GroupKey{}); return err },
		func() error { _, err := NewVerifierHex("00", ""); return err },
		func() error { _, err := NewVerifierHex(strings.Repeat("00", 32), "zz"); return err },
		func() error { _, err := NewVerifierHex(strings.Repeat("00", 32), "00"); return err },
		func() error { _, err := NewVerifierFromPin(&Pin{}); return err },
		func() error { _, err := ParseStatus("open"); return err },
		func() error { _, err := ParseSuite("bls"); return err },
	} {
		if Code(try()) == "" {
			t.Error("accepted")
		}
	}
	if (GroupKey{}).verifies([32]byte{}, nil) || Code(fmt.Errorf("other")) != "" {
		t.Error("nothing is something")
	}
}

func TestTheFirstKeyOfASuiteCounts(t *testing.T) {
	base := must(NewGroupKey(Ed25519, edBase.encoded()))
	data := testnet.NewUpdate().Bytes()
	if _, err := must(NewVerifier(testnet.NetworkID, testKeys()[0], base)).Verify(data); err != nil {
		t.Error(err)
	}
	if _, err := must(NewVerifier(testnet.NetworkID, base, testKeys()[0])).Verify(data); Code(err) != "bad-signature" {
		t.Error(err)
	}
}

func TestDecimals(t *testing.T) {
	largest := "170141183460469231731687303715884105727"
	for _, c := range []struct {
		mantissa string
		exponent int
		text     string
	}{
		{"6712345", -2, "67123.45"},
		{"-5", -2, "-0.05"},
		{"0", -3, "0.000"},
		{"0", 3, "0"},
		{"-5", 3, "-5000"},
		{"100", -2, "1.00"},
		{largest, -38, "1." + largest[1:]},
		{"-" + largest, -38, "-1." + largest[1:]},
	} {
		d := Decimal{integer(c.mantissa), c.exponent}
		rat, _ := new(big.Rat).SetString(c.text)
		float, _ := rat.Float64()
		if d.String() != c.text || d.Rat().Cmp(rat) != 0 || d.Float64() != float || d.Exponent() != c.exponent {
			t.Errorf("%s x 10^%d: %v", c.mantissa, c.exponent, d)
		}
	}
	if (Decimal{big.NewInt(150), -2}).Cmp(Decimal{big.NewInt(15), -1}) != 0 || (Decimal{}).String() != "0" {
		t.Error("1.50 is not 1.5")
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, suite := range []Suite{Ed25519, Secp256k1Keccak} {
		data := inSuite(testnet.NewUpdate(), suite).Bytes()
		b.Run(suite.String(), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				must(pinned.Verify(data))
			}
		})
	}
}
