# docker build -t fortnight .
# docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \
#   -v ./conf:/etc/fortnight:ro -v fortnight:/var/lib/fortnight -p 127.0.0.1:8080:8080 fortnight
# Any other command goes behind the name of the image, with the configuration: docker run … fortnight check
#
# The folder conf holds fortnight.toml with its secrets, readable for user 65532. Relative paths start there, and nothing can
# be written there, so what is written to is named whole, and health is served to the outside of the container:
#   [database]         url = "sqlite:/var/lib/fortnight/fortnight.db"
#   [email.file]       path = "/var/lib/fortnight/outbox"     if transport = "file"
#   [directory.files]  path = "/srv/tenant"                   for exports, with -v ./tenant:/srv/tenant:ro
#   [http]             listen = "0.0.0.0:8080"

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
ENV FORTNIGHT_CONFIG=/etc/fortnight/fortnight.toml
CMD ["run"]
