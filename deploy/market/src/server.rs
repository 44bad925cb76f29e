//! The HTTP server: every exchange's paths below its name.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;
use touchstone_feeds::Exchange;
use touchstone_types::{Decimal, FeedName};

use crate::{
    Fault, Market, Summary, Trade,
    shape::{Body, binance, bitstamp, coinbase, kraken, okx},
};

/// The most trades in one answer, as at most exchanges.
const TRADES_MAX: usize = 1_000;
/// How long a silent exchange keeps a request.
const SILENCE: Duration = Duration::from_secs(10);

/// What every handler sees.
struct App {
    market: Market,
    /// The pair of each exchange's symbols.
    symbols: BTreeMap<&'static str, BTreeMap<String, FeedName>>,
    stopped: CancellationToken,
}

#[derive(Deserialize, Default)]
struct Params {
    pair: Option<String>,
    symbol: Option<String>,
    #[serde(rename = "instId")]
    inst_id: Option<String>,
    limit: Option<String>,
    count: Option<String>,
    time: Option<String>,
}

/// One request: which exchange, which answer, about what.
struct Ask<'a> {
    source: &'static str,
    kind: Kind,
    symbol: &'a str,
    limit: usize,
    since_ms: u64,
    now_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ticker,
    Trades,
    /// Binance's `ticker/price`.
    Price,
    /// Binance's `ticker/bookTicker`.
    Book,
    /// Binance's `trades` beside its `aggTrades`.
    PlainTrades,
}

impl App {
    fn new(market: Market, stopped: CancellationToken) -> Self {
        let mut symbols: BTreeMap<&'static str, BTreeMap<String, FeedName>> = BTreeMap::new();
        for name in market.markets() {
            let Some(exchange) = Exchange::by_name(&name.source) else {
                continue;
            };
            let of_source = symbols.entry(exchange.name).or_default();
            of_source.insert(exchange.symbol(name.pair), name.pair);
            if exchange.name == "kraken" {
                of_source.insert(kraken::answer_key(name.pair), name.pair);
            }
        }
        Self {
            market,
            symbols,
            stopped,
        }
    }

    fn pair(&self, source: &str, symbol: &str) -> Option<FeedName> {
        self.symbols.get(source)?.get(symbol).copied()
    }

    /// The answer without any fault; `price_factor` is a power of ten for absurd prices.
    fn answer(&self, ask: &Ask<'_>, price_shift: i8) -> Body {
        let asked: Option<Vec<FeedName>> = ask
            .symbol
            .split(',')
            .map(|s| self.pair(ask.source, s))
            .collect();
        let Some([pair, ..]) = asked.as_deref() else {
            return unknown_symbol(ask.source);
        };
        match ask.kind {
            Kind::Trades | Kind::PlainTrades => {
                let mut trades = self.market.trades(ask.source, *pair, ask.now_ms, ask.limit);
                trades.retain(|trade| trade.time_ms() >= ask.since_ms);
                for trade in &mut trades {
                    *trade = off(*trade, price_shift);
                }
                list(ask, *pair, &trades)
            }
            Kind::Ticker | Kind::Price | Kind::Book => {
                let summaries: Vec<(FeedName, Summary)> = asked
                    .iter()
                    .flatten()
                    .filter_map(|pair| {
                        Some((*pair, self.market.summary(ask.source, *pair, ask.now_ms)?))
                    })
                    .map(|(pair, summary)| {
                        (
                            pair,
                            Summary {
                                last: off(summary.last, price_shift),
                                ..summary
                            },
                        )
                    })
                    .collect();
                let [(_, summary), ..] = summaries.as_slice() else {
                    return unknown_symbol(ask.source);
                };
                ticker(ask, summary, &summaries)
            }
        }
    }

    async fn respond(&self, ask: Ask<'_>) -> Response {
        let pair = self.pair(ask.source, ask.symbol);
        let fault = pair.and_then(|pair| self.market.fault(ask.source, pair, ask.now_ms));
        match fault {
            None => json(self.answer(&ask, 0)),
            Some(Fault::TooHigh) => json(self.answer(&ask, 3)),
            Some(Fault::TooLow) => json(self.answer(&ask, -3)),
            Some(Fault::Truncated) => {
                let Body { status, mut text } = self.answer(&ask, 0);
                // The bodies are ASCII.
                text.truncate(text.len() / 2);
                json(Body { status, text })
            }
            Some(Fault::Empty) => StatusCode::OK.into_response(),
            Some(Fault::ServerError) => {
                let page = "<html><head><title>500 Internal Server Error</title></head></html>";
                let kind = [(header::CONTENT_TYPE, "text/html")];
                (StatusCode::INTERNAL_SERVER_ERROR, kind, page).into_response()
            }
            Some(Fault::Silent) => {
                tokio::select! {
                    () = sleep(SILENCE) => {}
                    () = self.stopped.cancelled() => {}
                }
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
        }
    }
}

fn off(trade: Trade, shift: i8) -> Trade {
    let price = Decimal::new(
        trade.price.mantissa,
        trade.price.exponent.saturating_add(shift),
    );
    Trade { price, ..trade }
}

fn json(body: Body) -> Response {
    (
        body.status,
        [(header::CONTENT_TYPE, "application/json")],
        body.text,
    )
        .into_response()
}

fn unknown_symbol(source: &str) -> Body {
    match source {
        "coinbase" => coinbase::unknown_symbol(),
        "kraken" => kraken::unknown_symbol(),
        "bitstamp" => bitstamp::unknown_symbol(),
        "okx" => okx::unknown_symbol(),
        _ => binance::unknown_symbol(),
    }
}

fn list(ask: &Ask<'_>, pair: FeedName, trades: &[Trade]) -> Body {
    match ask.source {
        "coinbase" => coinbase::trades(trades),
        "kraken" => kraken::trades(pair, trades),
        "bitstamp" => bitstamp::transactions(trades),
        "okx" => okx::trades(ask.symbol, trades),
        _ if ask.kind == Kind::PlainTrades => binance::trades(trades),
        _ => binance::aggregate_trades(trades),
    }
}

fn ticker(ask: &Ask<'_>, summary: &Summary, all: &[(FeedName, Summary)]) -> Body {
    match (ask.source, ask.kind) {
        ("coinbase", _) => coinbase::ticker(summary),
        ("kraken", _) => kraken::ticker(all),
        ("bitstamp", _) => bitstamp::ticker(summary, ask.now_ms),
        ("okx", _) => okx::ticker(ask.symbol, summary, ask.now_ms),
        (_, Kind::Price) => binance::price(ask.symbol, summary),
        (_, Kind::Book) => binance::book_ticker(ask.symbol, summary),
        _ => binance::ticker(ask.symbol, summary, ask.now_ms),
    }
}

/// The wall clock in Unix milliseconds.
fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// A route of one exchange; where the symbol stands in the request differs.
fn route(source: &'static str, kind: Kind) -> axum::routing::MethodRouter<Arc<App>> {
    get(
        move |State(app): State<Arc<App>>,
              path: Option<Path<String>>,
              Query(params): Query<Params>| async move {
            let in_path = path.map(|Path(symbol)| symbol);
            let symbol = in_path.or(params.pair).or(params.symbol).or(params.inst_id);
            let limit = params.limit.or(params.count).and_then(|n| n.parse().ok());
            let now_ms = now_ms();
            // Bitstamp's answer covers a span of time, by default the last hour.
            let span_ms = match (source, params.time.as_deref()) {
                ("bitstamp", Some("minute")) => 60_000,
                ("bitstamp", Some("day")) => 86_400_000,
                ("bitstamp", _) => 3_600_000,
                _ => now_ms,
            };
            app.respond(Ask {
                source,
                kind,
                symbol: symbol.as_deref().unwrap_or_default(),
                limit: limit.unwrap_or(TRADES_MAX).clamp(1, TRADES_MAX),
                since_ms: now_ms.saturating_sub(span_ms),
                now_ms,
            })
            .await
        },
    )
}

fn binance_routes(source: &'static str) -> Router<Arc<App>> {
    Router::new()
        .route("/api/v3/ticker/24hr", route(source, Kind::Ticker))
        .route("/api/v3/ticker/price", route(source, Kind::Price))
        .route("/api/v3/ticker/bookTicker", route(source, Kind::Book))
        .route("/api/v3/aggTrades", route(source, Kind::Trades))
        .route("/api/v3/trades", route(source, Kind::PlainTrades))
}

/// Every exchange's routes; a silent fault ends early when `stopped` is cancelled.
pub fn router(market: Market, stopped: CancellationToken) -> Router {
    Router::new()
        .route(
            "/coinbase/products/{symbol}/ticker",
            route("coinbase", Kind::Ticker),
        )
        .route(
            "/coinbase/products/{symbol}/trades",
            route("coinbase", Kind::Trades),
        )
        .route("/kraken/0/public/Ticker", route("kraken", Kind::Ticker))
        .route("/kraken/0/public/Trades", route("kraken", Kind::Trades))
        .nest("/binance", binance_routes("binance"))
        .nest("/binance_us", binance_routes("binance_us"))
        .route(
            "/bitstamp/api/v2/ticker/{symbol}/",
            route("bitstamp", Kind::Ticker),
        )
        .route(
            "/bitstamp/api/v2/transactions/{symbol}/",
            route("bitstamp", Kind::Trades),
        )
        .route("/okx/api/v5/market/ticker", route("okx", Kind::Ticker))
        .route("/okx/api/v5/market/trades", route("okx", Kind::Trades))
        .with_state(Arc::new(App::new(market, stopped)))
}

/// Serves the market until `shutdown`.
///
/// # Errors
/// What the listener reports.
pub async fn serve(
    listener: TcpListener,
    market: Market,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let app = router(market, shutdown.clone());
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
