// The listener that hands the cluster's authority to hosts that show a token, and the process or
// unit that it is.
#pragma once

#include <string>

#include "adm/context.h"
#include "adm/token.h"
#include "base/result.h"

namespace adm {

// Answers until no token is open any more (Done), or until it is asked to stop (Cancelled).
// FailedPrecondition: another one runs, or its port is taken.
base::Status serve_tokens(const Context& context, const Host& host);

// A new token, and the listener started if it does not run.
base::Result<Token> open_door(const Context& context, const Host& host, base::Duration life);
// Every token is forgotten and the listener ends.
base::Status close_door(const Context& context, const Host& host);

// --token-ttl; InvalidArgument: not from 0 to 24 hours.
base::Result<base::Duration> token_life(const Flags& flags);

// The command for a host that joins, with the token and the authority's hash.
base::Result<std::string> join_command(const Host& host, const Token& token, unsigned port);
// Hex SHA-256 of the authority that signed this host's server certificate.
base::Result<std::string> authority_hash(const Host& host);

constexpr unsigned kTokenPort = 2378;
constexpr const char* kTokenUnit = "etcdadm-token.service";
std::string token_unit_text(const std::string& program, const Places& places);

}  // namespace adm
