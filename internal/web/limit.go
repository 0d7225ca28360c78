package web

import (
	"math"
	"sync"
	"time"
)

// Nobody reads as many pages as this; a program that goes through cases with somebody's session does. What is sent by a form is never refused for it.
const (
	pageRate  = 20 // a second
	pageBurst = 400
)

// limiter lets each of those who ask do so many times a second, after a burst.
type limiter struct {
	rate, burst float64
	now         func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(rate, burst float64) *limiter {
	return &limiter{rate: rate, burst: burst, now: time.Now, buckets: map[string]*bucket{}}
}

// allow takes one request of somebody, or tells how long they have to wait.
func (l *limiter) allow(who string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.buckets) > 10_000 {
		clear(l.buckets) // most are of sessions that ended; who is there begins with a burst again
	}
	b := l.buckets[who]
	if b == nil {
		b = &bucket{left: l.burst, at: now}
		l.buckets[who] = b
	}
	b.left = math.Min(l.burst, b.left+now.Sub(b.at).Seconds()*l.rate)
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / l.rate * float64(time.Second))
	}
	b.left--
	return 0
}

// retryAfter is a time as the header Retry-After has it.
func retryAfter(wait time.Duration) int { return max(1, int(math.Ceil(wait.Seconds()))) }
