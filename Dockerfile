# docker build -t fortnight .
# docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \
#   -v ./fortnight.toml:/etc/fortnight/fortnight.toml:ro -v fortnight:/var/lib/fortnight fortnight
# Any other command goes behind the name of the image: docker run … fortnight check

FROM rust:1.95-bookworm AS build
WORKDIR /src

# The dependencies, by themselves, so that this layer lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src && echo 'fn main() {}' >src/main.rs && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src

# Cargo goes by file times: what comes from the checkout may be older than the stand-ins above.
COPY . .
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin fortnight \
    && target/release/fortnight --version \
    && mkdir /state

# The C library, libgcc, root certificates and a user without rights (65532); no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="fortnight" \
      org.opencontainers.image.description="Runs an Entra multi-factor registration rollout: 14-day windows, reminders before the deadline, and reasons for every person" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/release/fortnight /usr/bin/fortnight
COPY --from=build /src/LICENSE-MIT /src/LICENSE-APACHE /usr/share/doc/fortnight/
COPY --from=build --chown=65532:65532 /state /var/lib/fortnight

# The only place that is written to: large sorts of the database spill here too.
VOLUME /var/lib/fortnight
ENV SQLITE_TMPDIR=/var/lib/fortnight
WORKDIR /var/lib/fortnight
USER 65532:65532
ENTRYPOINT ["/usr/bin/fortnight"]
CMD ["run", "--config", "/etc/fortnight/fortnight.toml"]
